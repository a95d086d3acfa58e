"""Which algorithms sign the words of hub and gateways; one line each in a table, found by its id.

Written, a public key is `<algorithm>:<base64 of its raw bytes>`; without an algorithm it is Ed25519, as in
files from before there was a choice. What an algorithm must offer is small: raw public keys, signatures of 64
bytes (`wire.frame`), and a check that never raises. SM2 with SM3 fits; it comes as one more line.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from provisioning.errors import IdentityError
from provisioning.keys import key_id_of, verify_ed25519
from wire.frame import Verify

DEFAULT = "ed25519"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How signatures of one kind are checked."""

    name: str
    verifier: Callable[[bytes], Verify]
    """Raw public key -> its check; raises `IdentityError` for a key that is none."""


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {one.name: one for one in (Algorithm(DEFAULT, verify_ed25519),)}
)


@dataclass(frozen=True, slots=True)
class PublicSigningKey:
    """A public key of the hub or of a gateway, of whatever algorithm."""

    algorithm: str
    raw: bytes
    verify: Verify

    @property
    def key_id(self) -> bytes:
        """First 8 bytes of the SHA-256 of the raw key."""
        return key_id_of(self.raw)


def write_public(raw: bytes, algorithm: str = DEFAULT) -> str:
    """Return a public key as it is written in files and statements."""
    text = base64.b64encode(raw).decode()
    return text if algorithm == DEFAULT else f"{algorithm}:{text}"


def read_public(text: str) -> PublicSigningKey:
    """Read a public key; `IdentityError` for an unknown algorithm or a key that is none."""
    name, colon, encoded = text.partition(":")
    if not colon:
        name, encoded = DEFAULT, text
    algorithm = ALGORITHMS.get(name)
    if algorithm is None:
        raise IdentityError(f"algorithm {name[:40]!r}: expected one of {', '.join(ALGORITHMS)}")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise IdentityError(f"public key: {error}") from None
    return PublicSigningKey(name, raw, algorithm.verifier(raw))
