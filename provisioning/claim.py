"""Claim codes, and the claim file that a gateway is given: hub, hash of its CA's key, gateway id, code.

Codes are kept as salted scrypt hashes. It keeps no files and reads no clock.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
from msgspec import Meta, Struct, structs

from provisioning.errors import RequestError
from wire.messages import GatewayId

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U, which are read as 1, 1, 0 and V; 32 characters, so that each is worth 5 bits."""
CODE_CHARACTERS = 8
SALT_BYTES = 16
_READ_AS = str.maketrans("ILOU", "110V", "- ")
_WORK = 2**13
"""8 MiB and some 20 ms for a guess. 40 bits are then out of reach even for who has the table."""
_QR_SCHEME = "heng"
_QR_WORDS = ("url", "ca", "id", "code")
_EXPECTED = {
    "url": "https://host:port, at most 300 characters",
    "ca_sha256": "64 hexadecimal digits in lower case",
    "gateway": "1 to 63 lower-case letters, digits and hyphens",
    "code": f"{CODE_CHARACTERS} digits and letters",
}
"""What each field of a claim file has to be."""
_SHOWN = 80

HexHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new gateway is given. The code is the only secret in it, and good for one gateway once."""

    url: Annotated[str, Meta(max_length=300)]
    """`https://host:port` of the hub's EST listener."""
    ca_sha256: HexHash
    """SHA-256 of the root CA's public key (SubjectPublicKeyInfo)."""
    gateway: GatewayId
    code: Annotated[str, Meta(max_length=20)]

    def __repr__(self) -> str:
        return f"Claim({self.gateway} at {self.url})"


@dataclass(frozen=True, slots=True)
class CodeHash:
    """What is kept of a code."""

    salt: bytes
    digest: bytes


def new_code() -> str:
    """Return a random code, in two groups of four: `7K3M-Q9ZT`."""
    text = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARACTERS))
    return f"{text[:4]}-{text[4:]}"


def plain_code(text: str) -> str:
    """Return a code as it is hashed, however a person wrote it; `RequestError` when it cannot be one."""
    code = text.strip().upper().translate(_READ_AS)
    if len(code) != CODE_CHARACTERS or any(one not in ALPHABET for one in code):
        raise RequestError(f"claim code: expected {CODE_CHARACTERS} digits and letters")
    return code


def hash_code(code: str, salt: bytes | None = None) -> CodeHash:
    """Return what is kept of a code; takes some 20 ms of a processor."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    digest = hashlib.scrypt(plain_code(code).encode(), salt=salt, n=_WORK, r=8, p=1, dklen=32)
    return CodeHash(salt, digest)


def is_code(text: str, kept: CodeHash) -> bool:
    """Whether this is the code; what cannot be one takes as long."""
    try:
        given, possible = plain_code(text), True
    except RequestError:
        given, possible = "0" * CODE_CHARACTERS, False
    same = hmac.compare_digest(hash_code(given, kept.salt).digest, kept.digest)
    return same and possible


def write_claim(claim: Claim) -> bytes:
    """Return the text of a claim file (JSON)."""
    return msgspec.json.format(msgspec.json.encode(claim)) + b"\n"


def read_claim(data: bytes) -> Claim:
    """Read a claim file, or the text of its QR code; `RequestError` names the field that is wrong."""
    if data.lstrip()[:5] == b"heng:":
        return _from_uri(data.decode("ascii", "replace").strip())
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"{error}: expected a claim file (JSON), or the text of its QR code") from None
    return _checked(_made(given))


def claim_uri(claim: Claim) -> str:
    """Return what the QR code holds."""
    words = (claim.url, claim.ca_sha256, claim.gateway, claim.code)
    return f"{_QR_SCHEME}:1?{urlencode(dict(zip(_QR_WORDS, words, strict=True)), safe=':/')}"


def hub_address(url: str) -> tuple[str, int]:
    """Return host and port of `https://host[:port]`; `RequestError` for anything else."""
    wrong = f"url {url[:100]!r}: expected https://host:port"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
        host.encode("idna")  # as whoever connects will do
    except ValueError:
        raise RequestError(wrong) from None
    if parts.scheme != "https" or not (host and port) or parts.path not in ("", "/") or "@" in parts.netloc:
        raise RequestError(wrong)
    return host, port


def bracketed(host: str) -> str:
    """Return a host as it stands before `:port` in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _from_uri(text: str) -> Claim:
    head, _, query = text.partition("?")
    if head != f"{_QR_SCHEME}:1":
        raise RequestError(f"claim {head[:40]!r}: expected {_QR_SCHEME}:1")
    try:
        found = parse_qs(query, strict_parsing=True, max_num_fields=len(_QR_WORDS))
        url, ca_sha256, gateway, code = (found[word][0] for word in _QR_WORDS)
        made = {"url": url, "ca_sha256": ca_sha256, "gateway": gateway, "code": code}
    except (ValueError, KeyError):
        raise RequestError(f"expected {_QR_SCHEME}:1? with {', '.join(_QR_WORDS)}") from None
    return _checked(_made(made))


def _made(given: object) -> Claim:
    """Return the claim of decoded JSON; `RequestError` names the first field that is wrong."""
    names = ", ".join(_EXPECTED)
    if not isinstance(given, dict):
        raise RequestError(f"expected a claim file, a JSON object with the fields {names}")
    for name in given:
        if name not in _EXPECTED:
            raise RequestError(f"field {name[:_SHOWN]!r} is not known: expected the fields {names}")
    for field in structs.fields(Claim):
        expected = _EXPECTED[field.name]
        if field.name not in given:
            raise RequestError(f"field {field.name!r} is missing: expected {expected}")
        try:
            msgspec.convert(given[field.name], field.type)
        except msgspec.ValidationError:
            # The code is a secret, also one with a mistake in it.
            what = "as it stands" if field.name == "code" else repr(str(given[field.name])[:_SHOWN])
            raise RequestError(f"field {field.name!r}: {what}: expected {expected}") from None
    return msgspec.convert(given, Claim)


def _checked(claim: Claim) -> Claim:
    hub_address(claim.url)
    plain_code(claim.code)
    return claim
