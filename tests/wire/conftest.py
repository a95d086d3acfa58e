"""A real Ed25519 signer, and the examples that every side reads."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

EXAMPLES = Path(__file__).parents[2] / "wire" / "examples"

Example = dict[str, Any]


class Signer:
    """Signs with the published key of RFC 8032, section 7.1, test 1."""

    def __init__(self) -> None:
        secret = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
        self.public_key = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = hashlib.sha256(self.public_key).digest()[:8]

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="session")
def is_signed() -> Callable[[bytes, bytes, bytes], bool]:
    """(public key, data, signature) -> whether the signature is good."""

    def check(public_key: bytes, data: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return check


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument `valid_example` or `invalid_example` runs once for each of them."""
    for kind in ("valid", "invalid"):
        if f"{kind}_example" in metafunc.fixturenames:
            paths = sorted((EXAMPLES / kind).glob("*.json"))
            found = [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in paths]
            metafunc.parametrize(f"{kind}_example", found)
