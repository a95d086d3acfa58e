"""Signing keys: Ed25519 behind the two small interfaces of `wire.frame`, `Signer` and `Verify`.

It keeps no files and knows no certificates. A key object is parsed once and then used for every
signature. Source: RFC 8032; key files are PKCS #8 PEM (RFC 8410).
"""

import hashlib
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from provisioning.errors import IdentityError
from wire.frame import KEY_ID_BYTES, SIGNATURE_BYTES, Verify

PUBLIC_KEY_BYTES = 32


def key_id_of(public_key: bytes) -> bytes:
    """Return the key id of a raw public key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:KEY_ID_BYTES]


def verify_ed25519(public_key: bytes) -> Verify:
    """Return a check bound to one raw public key; `IdentityError` when it is not 32 bytes."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise IdentityError(f"public key of {len(public_key)} bytes: expected {PUBLIC_KEY_BYTES}")
    verify_or_raise = Ed25519PublicKey.from_public_bytes(public_key).verify

    def verify(data: bytes, signature: bytes) -> bool:
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            verify_or_raise(signature, data)
        except InvalidSignature:
            return False
        return True

    return verify


class Ed25519Signer:
    """One private key; implements `wire.frame.Signer`."""

    __slots__ = ("_key", "_key_id", "_public_key", "_sign")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._sign = key.sign
        self._public_key = key.public_key().public_bytes_raw()
        self._key_id = key_id_of(self._public_key)

    @classmethod
    def generate(cls) -> Self:
        """Make a key from the system's random source."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read an unencrypted PKCS #8 key; `IdentityError` when it is anything else."""
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise IdentityError(f"Ed25519 key: {error}") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise IdentityError(f"Ed25519 key: found a {type(key).__name__}")
        return cls(key)

    def to_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM; its file must be 0600."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._public_key

    @property
    def key_id(self) -> bytes:
        """First 8 bytes of the SHA-256 of the raw public key."""
        return self._key_id

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self._sign(data)

    def __repr__(self) -> str:
        return f"Ed25519Signer(key_id={self._key_id.hex()})"
