"""What both ends of EST must agree on: paths, media types, requests and answers as bytes.

It opens no connection. Sources: RFC 7030, RFC 8951 (base64 without a header that names it), RFC 2986
(PKCS #10), RFC 5652 (PKCS #7).
"""

import base64
import binascii
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from msgspec import Struct

from provisioning.certificates import PARSE_FAULTS, PrivateKey, PublicKey
from provisioning.errors import RequestError

BASE = "/.well-known/est"
CA_CERTIFICATES = f"{BASE}/cacerts"
ENROL = f"{BASE}/simpleenroll"
RENEW = f"{BASE}/simplereenroll"
HUB = "/heng/1/hub"
"""Not of EST: what a gateway must know of its hub besides certificates."""

REQUEST_TYPE = "application/pkcs10"
CERTIFICATES_TYPE = "application/pkcs7-mime"
ISSUED_TYPE = f"{CERTIFICATES_TYPE}; smime-type=certs-only"

REQUEST_BYTES_MAX = 8 * 1024
"""A request with a P-256 key has about 300 bytes."""
ANSWER_BYTES_MAX = 64 * 1024
_CERTIFICATES_MAX = 16
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class HubFacts(Struct, frozen=True, omit_defaults=True):
    """What a hub tells about itself to whoever asks."""

    broker: str
    """`mqtts://host:port` of the gateways' listener."""
    hub_keys: list[str]
    """Public keys of the hub, as in `hub-keys.json`."""
    statements: list["KeyStatement"] = []
    """How each key after the first came to be the hub's, in order."""
    time_ms: int = 0
    """The hub's time, UTC, ms since 1970: good for judging dates, not for placing readings."""


class KeyStatement(Struct, frozen=True, omit_defaults=True):
    """The hub's key `signed_by` says that `key` is the hub's too."""

    key: str
    """`<algorithm>:<base64 of the raw public key>`."""
    number: int
    """1 for the second key of a hub, and so on."""
    signed_by: str
    """Key id, hexadecimal."""
    signature: str
    """Base64, by the key `signed_by` over `statement_bytes`."""


def statement_bytes(number: int, key: str) -> bytes:
    """Return what the signature of a `KeyStatement` covers."""
    return b"heng/1/hub-key\0" + str(number).encode() + b"\0" + key.encode()


def make_request(gateway: str, key: PrivateKey) -> bytes:
    """Return a certificate request (DER) by which a gateway asks for its name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def read_request(der: bytes) -> tuple[str, PublicKey]:
    """Return the name that a request asks for and its key, which has signed it; else `RequestError`.

    Everything else that the request wishes for is left aside: the issuer alone says what a certificate holds.
    """
    try:
        request = x509.load_der_x509_csr(der)
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        key = request.public_key()
        digest = request.signature_hash_algorithm
    except PARSE_FAULTS as error:
        raise RequestError(f"certificate request: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestError("certificate request: expected a P-256 key")
    if not isinstance(digest, _HASHES):
        raise RequestError("certificate request: expected a signature with SHA-256, SHA-384 or SHA-512")
    if len(names) != 1 or len(list(request.subject)) != 1 or not isinstance(names[0].value, str):
        raise RequestError("certificate request: expected a subject of one common name")
    if not request.is_signature_valid:
        raise RequestError("certificate request: its key did not sign it")
    return names[0].value, key


def to_base64(der: bytes) -> bytes:
    """Return DER as EST sends it: base64 in lines of 76."""
    return base64.encodebytes(der)


def from_base64(body: bytes) -> bytes:
    """Return the bytes of a base64 body, whatever its line breaks; `RequestError` for anything else."""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError("body: expected base64") from None


def certificates_only(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return certificates as a certs-only PKCS #7 message, base64."""
    return to_base64(pkcs7.serialize_certificates(list(certificates), serialization.Encoding.DER))


def read_certificates(body: bytes) -> list[x509.Certificate]:
    """Return the certificates of a certs-only PKCS #7 message; `RequestError` when it is none."""
    try:
        found = pkcs7.load_der_pkcs7_certificates(from_base64(body))
    except PARSE_FAULTS as error:
        raise RequestError(f"certificates of the hub: {error}") from None
    if not 1 <= len(found) <= _CERTIFICATES_MAX:
        raise RequestError(f"{len(found)} certificates of the hub: expected 1 to {_CERTIFICATES_MAX}")
    return found
