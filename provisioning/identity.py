"""Loads the identity folder of a gateway or of a hub worker; the files are made by `provisioning.ca`.

It opens no connection. Everything is read once, at `load`; only the TLS context goes back to the files,
because OpenSSL reads keys from a path.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
from cryptography import x509

from provisioning import certificates, files
from provisioning.algorithms import read_public
from provisioning.errors import IdentityError
from provisioning.keys import Ed25519Signer
from wire.errors import TopicError
from wire.frame import Verify
from wire.messages import KeyProof
from wire.topics import check_gateway_id

TLS_KEY = "tls-key.pem"
TLS_CERTIFICATE = "tls-cert.pem"
CA = "ca.pem"
BATCH_KEY = "batch-key.pem"
KEY_PROOF = "key-proof.bin"
HUB_KEYS = "hub-keys.json"
SIGNING_KEY = "signing-key.pem"
SHARE_NAME = "share-name"
HUB_PREFIX = "hub:"
"""Begins the CN of every hub worker; no gateway id can contain a colon."""

NO_CHECK_TIME = 0x200000
"""OpenSSL's flag (x509_vfy.h), which the `ssl` module does not name."""


def gateway_uri(gateway: str) -> str:
    """Return the name of a gateway in the subject alternative name of its certificate."""
    return f"urn:heng:gateway:{gateway}"


def client_context(folder: Path, *, judge_dates: bool = True) -> ssl.SSLContext:
    """Return a TLS 1.3 client context: own certificate, only the folder's CA trusted, host name checked.

    Without `judge_dates` validity dates are not looked at: for a gateway that does not know the time.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(folder / CA)
        context.load_cert_chain(folder / TLS_CERTIFICATE, folder / TLS_KEY)
    except (OSError, ssl.SSLError) as error:
        raise IdentityError(f"{folder}: TLS key, certificate or CA cannot be used: {error}") from None
    if not judge_dates:
        context.verify_flags = ssl.VerifyFlags(context.verify_flags | NO_CHECK_TIME)
    return context


@dataclass(frozen=True, slots=True)
class GatewayIdentity:
    """Who a gateway is, and whom it believes."""

    folder: Path
    gateway: str
    signer: Ed25519Signer
    hub_verifiers: Mapping[bytes, Verify]
    """Key id of each pinned hub key -> its check."""
    certificate_pem: str
    proof: bytes

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder; `IdentityError` names the file that is missing or damaged."""
        chain = files.read(folder / TLS_CERTIFICATE)
        gateway = certificates.common_name(certificates.from_pem(chain)[0])
        try:
            check_gateway_id(gateway)
        except TopicError as error:
            raise IdentityError(f"{folder / TLS_CERTIFICATE}: {error}") from None
        return cls(
            folder=folder,
            gateway=gateway,
            signer=Ed25519Signer.from_pem(files.read(folder / BATCH_KEY)),
            hub_verifiers=_hub_verifiers(folder / HUB_KEYS),
            certificate_pem=chain.decode(),
            proof=files.read(folder / KEY_PROOF),
        )

    def tls_context(self, *, judge_dates: bool = True) -> ssl.SSLContext:
        """Return the context for the broker's gateway listener; see `client_context`."""
        return client_context(self.folder, judge_dates=judge_dates)

    def key_proof(self) -> KeyProof:
        """Return what a hub that never saw this gateway needs to trust its batch key."""
        return KeyProof(
            certificate_pem=self.certificate_pem, public_key=self.signer.public_key, signature=self.proof
        )


@dataclass(frozen=True, slots=True)
class HubIdentity:
    """Who a hub worker is: its certificate for the broker, and the hub's signing key."""

    folder: Path
    name: str
    signer: Ed25519Signer
    ca_certificate: x509.Certificate
    """Root of all gateways, for `provisioning.proof.check_key_proof`, and of the broker."""
    share_name: str
    """The secret name of the shared subscription (the broker cannot refuse a SUBSCRIBE)."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the folder; `IdentityError` names the file that is missing or damaged."""
        name = certificates.common_name(certificates.from_pem(files.read(folder / TLS_CERTIFICATE))[0])
        if not name.startswith(HUB_PREFIX):
            raise IdentityError(f"{folder / TLS_CERTIFICATE}: names {name[:80]!r}: expected a hub worker")
        return cls(
            folder=folder,
            name=name.removeprefix(HUB_PREFIX),
            signer=Ed25519Signer.from_pem(files.read(folder / SIGNING_KEY)),
            ca_certificate=certificates.from_pem(files.read(folder / CA))[0],
            share_name=files.read(folder / SHARE_NAME).decode().strip(),
        )

    def tls_context(self) -> ssl.SSLContext:
        """Return the context for the broker's hub listener; see `client_context`."""
        return client_context(self.folder)

    def client_id(self, purpose: str) -> str:
        """Return an MQTT client id that no gateway can have, for one connection of this worker."""
        return f"{HUB_PREFIX}{self.name}:{purpose}"


def _hub_verifiers(path: Path) -> dict[bytes, Verify]:
    try:
        listed = msgspec.json.decode(files.read(path), type=list[str])
    except msgspec.DecodeError as error:
        raise IdentityError(f"{path}: expected a list of base64 public keys: {error}") from None
    try:
        keys = [read_public(text) for text in listed]
    except IdentityError as error:
        raise IdentityError(f"{path}: expected a list of base64 public keys: {error}") from None
    if not keys:
        raise IdentityError(f"{path}: expected at least one public key of the hub")
    return {key.key_id: key.verify for key in keys}
