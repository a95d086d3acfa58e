"""How a gateway gets its identity from a claim, and its next certificate: the same steps from any crash on.

Each step is one file put into place as a whole; a step whose file is there is not done again. The certificate
comes last, so that an identity with a certificate is complete. The hub answers the same key and code with the
same certificate, so that an answer that was lost costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509

from provisioning import certificates, est_client, files, identity
from provisioning.claim import Claim
from provisioning.errors import EnrolmentError, IdentityError
from provisioning.est import HubFacts
from provisioning.est_client import Connection, Trust
from provisioning.hub_keys import believed
from provisioning.identity import GatewayIdentity
from provisioning.keystore import FileKeyStore, KeyStore

HUB_FILE = "hub.json"
"""Where the hub is: `url` of the EST listener and `broker`."""


class HubPlace(msgspec.Struct, frozen=True):
    """Where an enrolled gateway finds its hub."""

    url: str
    broker: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """How enrolment ended."""

    identity: GatewayIdentity
    fresh: bool
    """Whether a certificate was issued now."""


def enrol(
    claim: Claim,
    folder: Path,
    *,
    keys: KeyStore | None = None,
    done: Callable[[str], None] = lambda _: None,
    timeout_s: float = est_client.TIMEOUT_S,
) -> Enrolled:
    """Bring an identity folder from any state to a complete one; `done` is told of each step.

    Raises `EnrolmentError` (see `again`), and `IdentityError` when the folder belongs to another gateway or
    hub. Needs no clock.
    """
    keys = keys or FileKeyStore(folder)
    pin = bytes.fromhex(claim.ca_sha256)
    _check_root(folder, pin)
    complete = _complete(folder, claim.gateway, keys)
    if complete is not None:
        return Enrolled(complete, fresh=False)
    keys.make()
    done("keys")
    trust = est_client.fetch_trust(claim.url, pin, timeout_s=timeout_s)
    files.replace(folder / identity.CA, certificates.to_pem([trust.root]), mode=files.PUBLIC)
    done("ca")
    with Connection(claim.url, trust.context(), timeout_s=timeout_s) as hub:
        take_hub_facts(folder, hub.hub(), url=claim.url)
        done("hub")
        leaf = hub.enrol(keys.request(claim.gateway), gateway=claim.gateway, code=claim.code)
    done("issued")
    _take_certificate(folder, claim.gateway, trust.chain(leaf), keys=keys)
    done("certificate")
    return Enrolled(GatewayIdentity.load(folder), fresh=True)


def renew(
    folder: Path, *, keys: KeyStore | None = None, timeout_s: float = est_client.TIMEOUT_S
) -> GatewayIdentity:
    """Ask for the next certificate with the present one, which may have expired, and put it in its place.

    The key stays, so that one file changes and a crash leaves the old certificate or the new one. Raises as
    `enrol` does; a hub that wants a person's word first is an `EnrolmentError` with `again` and `wait_s`.
    """
    keys = keys or FileKeyStore(folder)
    gateway = GatewayIdentity.load(folder).gateway
    hub, trust = _as_gateway(folder, keys, timeout_s=timeout_s)
    leaf = hub.renew(keys.request(gateway))
    _take_certificate(folder, gateway, trust.chain(leaf), keys=keys)
    return GatewayIdentity.load(folder)


def ask_hub(
    folder: Path, *, keys: KeyStore | None = None, timeout_s: float = est_client.TIMEOUT_S
) -> HubFacts:
    """Return what the hub says of itself now, and keep the keys that its statements lead to."""
    hub, _ = _as_gateway(folder, keys or FileKeyStore(folder), timeout_s=timeout_s)
    facts = hub.hub()
    take_hub_facts(folder, facts, url=place_of(folder).url)
    return facts


def take_hub_facts(folder: Path, facts: HubFacts, *, url: str) -> bool:
    """Keep the hub's place and keys; return whether a key is new.

    Keys are pinned once, at enrolment; later ones must be stated by those.
    """
    place = msgspec.json.encode(HubPlace(url, facts.broker))
    files.replace(folder / HUB_FILE, place + b"\n", mode=files.PUBLIC)
    path = folder / identity.HUB_KEYS
    if not path.exists():
        pinned: list[str] = []
        fresh = list(facts.hub_keys)
        if not fresh:
            raise EnrolmentError("the hub named no signing key", again=True)
    else:
        pinned = msgspec.json.decode(files.read(path), type=list[str])
        fresh = believed(pinned, facts.statements)
    if fresh == pinned:
        return False
    files.replace(path, msgspec.json.encode(fresh), mode=files.PUBLIC)
    return True


def place_of(folder: Path) -> HubPlace:
    """Return where the hub is; `IdentityError` for an identity that was not enrolled over the network."""
    path = folder / HUB_FILE
    try:
        return msgspec.json.decode(files.read(path), type=HubPlace)
    except msgspec.DecodeError as error:
        raise IdentityError(f"{path}: {error}") from None


def certificate_of(folder: Path) -> x509.Certificate:
    """Return the gateway's present certificate."""
    return certificates.from_pem(files.read(folder / identity.TLS_CERTIFICATE))[0]


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether two thirds of a certificate's life are over."""
    return now >= certificates.renewal_due(certificate)


def _as_gateway(folder: Path, keys: KeyStore, *, timeout_s: float) -> tuple[Connection, Trust]:
    root = certificates.from_pem(files.read(folder / identity.CA))[0]
    others = certificates.from_pem(files.read(folder / identity.TLS_CERTIFICATE))[1:]
    url = place_of(folder).url
    context = Trust(root).context()
    keys.use_in(context, folder / identity.TLS_CERTIFICATE)
    hub = Connection(url, context, timeout_s=timeout_s)
    fetched = est_client.fetch_trust(url, certificates.spki_sha256(root), timeout_s=timeout_s)
    return hub, Trust(root, (*fetched.others, *others))


def _take_certificate(folder: Path, gateway: str, chain: list[x509.Certificate], *, keys: KeyStore) -> None:
    """Put a certificate into place once it is known to be this gateway's, with what belongs to it."""
    leaf = chain[0]
    if certificates.common_name(leaf) != gateway:
        raise EnrolmentError(f"the hub answered with a certificate that is not for {gateway}", again=True)
    if certificates.elliptic_key(leaf) != keys.public_key:
        raise EnrolmentError("the hub answered with a certificate of another key", again=True)
    files.replace(folder / identity.KEY_PROOF, keys.key_proof(gateway), mode=files.PUBLIC)
    files.replace(folder / identity.TLS_CERTIFICATE, certificates.to_pem(chain), mode=files.PUBLIC)


def _check_root(folder: Path, pin: bytes) -> None:
    """Refuse a folder of another hub; one that another hub never gave a certificate forgets that hub."""
    path = folder / identity.CA
    if not path.exists() or certificates.spki_sha256(certificates.from_pem(files.read(path))[0]) == pin:
        return
    # The proof goes into place just before the certificate: with it, a certificate was issued.
    if any((folder / name).exists() for name in (identity.TLS_CERTIFICATE, identity.KEY_PROOF)):
        raise IdentityError(f"{folder}: belongs to another hub than the claim; choose another folder")
    # The root last: a crash before that leaves a folder that is begun anew in the same way.
    for name in (identity.HUB_KEYS, HUB_FILE, identity.CA):
        files.remove(folder / name)


def _complete(folder: Path, gateway: str, keys: KeyStore) -> GatewayIdentity | None:
    """Return the identity when the folder holds the whole of it already."""
    if not (folder / identity.TLS_CERTIFICATE).exists():
        return None
    found = GatewayIdentity.load(folder)
    if found.gateway != gateway:
        raise IdentityError(f"{folder}: belongs to gateway {found.gateway}: expected {gateway}")
    if certificates.elliptic_key(certificate_of(folder)) != keys.public_key:
        raise IdentityError(f"{folder}: certificate and TLS key do not belong together")
    return found
