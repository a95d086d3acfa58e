"""The certificate authority of one hub, as a folder: makes it, and issues gateways, hub workers, broker.

Two hierarchies, so that a gateway's certificate is worthless on the hub's listener and the other way
round: the root with its issuing CA (gateways and broker), and the hub CA (hub workers). It never
overwrites a file, and never issues a gateway id twice. It renews and revokes nothing.

Folder::

    root-key.pem root-cert.pem       kept for the issuing CA; may be moved off the machine afterwards
    issuing-key.pem issuing-cert.pem
    hub-ca-key.pem hub-ca-cert.pem
    signing-key.pem                  the hub's word: acks, commands, shadows
    share-name                       secret name of the workers' shared subscription
    broker/                          tls-key.pem tls-cert.pem
    hubs/<name>/                     identity folders of hub workers
    gateways/<id>/tls-cert.pem       which ids were issued; their keys are not kept here
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from provisioning import certificates, files, identity
from provisioning.certificates import Issuer, Validity
from provisioning.errors import IdentityError
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from provisioning.proof import sign_key_proof
from wire.errors import TopicError
from wire.topics import check_gateway_id

AUTHORITY_DAYS = 7305
LEAF_DAYS = 825
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

_ROOT = "root"
_ISSUING = "issuing"
_HUB_CA = "hub-ca"


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A loaded authority folder."""

    folder: Path
    issuing: Issuer
    hub_ca: Issuer
    signer: Ed25519Signer
    root_pem: bytes
    share_name: str

    @classmethod
    def create(cls, folder: Path, *, now: datetime, hosts: Sequence[str] = ()) -> Self:
        """Make the whole folder; `IdentityError` when there is one already.

        `hosts` are the names and addresses of the broker, besides this machine's own.
        """
        if (folder / "root-cert.pem").exists():
            raise IdentityError(f"{folder}: holds a certificate authority already")
        files.make_folder(folder)
        long = Validity(now, AUTHORITY_DAYS)
        root = certificates.root("Heng root CA", long)
        _write_issuer(folder, _ROOT, root)
        _write_issuer(folder, _ISSUING, certificates.intermediate(root, "Heng issuing CA", long))
        _write_issuer(folder, _HUB_CA, certificates.root("Heng hub CA", long))
        files.write_new(folder / identity.SIGNING_KEY, Ed25519Signer.generate().to_pem())
        files.write_new(folder / identity.SHARE_NAME, secrets.token_hex(16).encode() + b"\n")
        authority = cls.load(folder)
        authority.issue_server(now=now, hosts=hosts)
        return authority

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder; `IdentityError` names the file that is missing or damaged."""
        return cls(
            folder=folder,
            issuing=_read_issuer(folder, _ISSUING),
            hub_ca=_read_issuer(folder, _HUB_CA),
            signer=Ed25519Signer.from_pem(files.read(folder / identity.SIGNING_KEY)),
            root_pem=files.read(folder / "root-cert.pem"),
            share_name=files.read(folder / identity.SHARE_NAME).decode().strip(),
        )

    @property
    def hub_ca_pem(self) -> bytes:
        """The certificate that the hub's listener trusts."""
        return certificates.to_pem([self.hub_ca.certificate])

    @property
    def broker_folder(self) -> Path:
        """Where the broker's own key and certificate are."""
        return self.folder / "broker"

    def hub_names(self) -> list[str]:
        """Return the names of all hub workers that were issued."""
        return sorted(path.name for path in (self.folder / "hubs").glob("*") if path.is_dir())

    def issue_server(self, *, now: datetime, hosts: Sequence[str] = ()) -> Path:
        """Make the broker's key and certificate for this machine's own names and `hosts`."""
        key = certificates.new_key()
        names = list(dict.fromkeys((*LOCAL_HOSTS, *hosts)))
        leaf = certificates.server(self.issuing, names, key=key, validity=Validity(now, LEAF_DAYS))
        folder = files.make_folder(self.broker_folder)
        files.write_new(folder / identity.TLS_KEY, certificates.key_to_pem(key))
        chain = certificates.to_pem([leaf, self.issuing.certificate])
        files.write_new(folder / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        return folder

    def issue_gateway(
        self, gateway: str, out: Path, *, now: datetime, days: int = LEAF_DAYS
    ) -> GatewayIdentity:
        """Make an identity folder for a gateway; `IdentityError` when the id was issued before."""
        try:
            check_gateway_id(gateway)
        except TopicError as error:
            raise IdentityError(str(error)) from None
        _require_empty(out)
        key = certificates.new_key()
        leaf = certificates.client(
            self.issuing, gateway, uri=f"urn:heng:gateway:{gateway}", key=key, validity=Validity(now, days)
        )
        chain = certificates.to_pem([leaf, self.issuing.certificate])
        record = files.make_folder(self.folder / "gateways" / gateway)
        files.write_new(record / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        batch = Ed25519Signer.generate()
        files.make_folder(out)
        files.write_new(out / identity.TLS_KEY, certificates.key_to_pem(key))
        files.write_new(out / identity.TLS_CERTIFICATE, chain, mode=files.PUBLIC)
        files.write_new(out / identity.CA, self.root_pem, mode=files.PUBLIC)
        files.write_new(out / identity.BATCH_KEY, batch.to_pem())
        proof = sign_key_proof(gateway, batch.public_key, key)
        files.write_new(out / identity.KEY_PROOF, proof, mode=files.PUBLIC)
        files.write_new(out / identity.HUB_KEYS, self._hub_keys(), mode=files.PUBLIC)
        return GatewayIdentity.load(out)

    def issue_hub(
        self, name: str, out: Path | None = None, *, now: datetime, days: int = LEAF_DAYS
    ) -> HubIdentity:
        """Make an identity folder for a hub worker, in `hubs/<name>` unless `out` is given."""
        try:
            check_gateway_id(name)
        except TopicError:
            raise IdentityError(f"hub name {name[:80]!r}: expected 1 to 63 of a-z, 0-9 and '-'") from None
        record = self.folder / "hubs" / name
        out = out or record
        _require_empty(out)
        _require_empty(record)
        key = certificates.new_key()
        leaf = certificates.client(
            self.hub_ca,
            identity.HUB_PREFIX + name,
            uri=f"urn:heng:hub:{name}",
            key=key,
            validity=Validity(now, days),
        )
        files.make_folder(record)
        files.make_folder(out)
        files.write_new(out / identity.TLS_KEY, certificates.key_to_pem(key))
        files.write_new(out / identity.TLS_CERTIFICATE, certificates.to_pem([leaf]), mode=files.PUBLIC)
        files.write_new(out / identity.CA, self.root_pem, mode=files.PUBLIC)
        files.write_new(out / identity.SIGNING_KEY, self.signer.to_pem())
        files.write_new(out / identity.SHARE_NAME, self.share_name.encode() + b"\n")
        return HubIdentity.load(out)

    def _hub_keys(self) -> bytes:
        return msgspec.json.encode([base64.b64encode(self.signer.public_key).decode()])


def _write_issuer(folder: Path, name: str, issuer: Issuer) -> None:
    files.write_new(folder / f"{name}-key.pem", certificates.key_to_pem(issuer.key))
    files.write_new(folder / f"{name}-cert.pem", certificates.to_pem([issuer.certificate]), mode=files.PUBLIC)


def _read_issuer(folder: Path, name: str) -> Issuer:
    key = certificates.key_from_pem(files.read(folder / f"{name}-key.pem"))
    return Issuer(key, certificates.from_pem(files.read(folder / f"{name}-cert.pem"))[0])


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise IdentityError(f"{folder}: is there already and is never overwritten")
