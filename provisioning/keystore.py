"""Where a gateway's private keys are, behind one interface: files today, a TPM or another module later.

A key is made where it stays. What others need of it are three acts: ask for a certificate, certify the batch
key, and speak TLS.
"""

import ssl
from pathlib import Path
from typing import Protocol

from provisioning import certificates, est, files, identity, proof
from provisioning.certificates import PublicKey
from provisioning.errors import IdentityError
from provisioning.keys import Ed25519Signer


class KeyStore(Protocol):
    """Holds the TLS key and the batch key of one gateway."""

    def make(self) -> None:
        """Make the keys that are missing; those that are there stay. Safe to call again after a crash."""

    @property
    def public_key(self) -> PublicKey:
        """The public half of the TLS key."""

    def request(self, gateway: str) -> bytes:
        """Return a certificate request (DER) for this name, signed by the TLS key."""

    def key_proof(self, gateway: str) -> bytes:
        """Return the TLS key's signature over the batch key; see `provisioning.proof`."""

    def use_in(self, context: ssl.SSLContext, certificate: Path) -> None:
        """Have a TLS context speak with the TLS key and this certificate chain; `IdentityError`."""


class FileKeyStore:
    """Keys as PKCS #8 files (0600) in the identity folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make the keys that are missing."""
        files.make_folder(self._folder)
        if not (self._folder / identity.TLS_KEY).exists():
            pem = certificates.key_to_pem(certificates.new_key())
            files.replace(self._folder / identity.TLS_KEY, pem)
        if not (self._folder / identity.BATCH_KEY).exists():
            files.replace(self._folder / identity.BATCH_KEY, Ed25519Signer.generate().to_pem())

    @property
    def public_key(self) -> PublicKey:
        """The public half of the TLS key."""
        return self._tls_key().public_key()

    def request(self, gateway: str) -> bytes:
        """Return a certificate request."""
        return est.make_request(gateway, self._tls_key())

    def key_proof(self, gateway: str) -> bytes:
        """Return the TLS key's signature over the batch key."""
        batch = Ed25519Signer.from_pem(files.read(self._folder / identity.BATCH_KEY))
        return proof.sign_key_proof(gateway, batch.public_key, self._tls_key())

    def use_in(self, context: ssl.SSLContext, certificate: Path) -> None:
        """Load the files into a context."""
        try:
            context.load_cert_chain(certificate, self._folder / identity.TLS_KEY)
        except (OSError, ssl.SSLError) as error:
            raise IdentityError(f"{certificate}: cannot be used with the TLS key: {error}") from None

    def _tls_key(self) -> certificates.PrivateKey:
        return certificates.key_from_pem(files.read(self._folder / identity.TLS_KEY))
