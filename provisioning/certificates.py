"""Makes X.509 certificates (ECDSA P-256) for the small hierarchy of a hub. Values in, certificates out.

It keeps no files and reads no clock. Source: RFC 5280; names of gateways stand in CN (for the broker)
and as a URI in the subject alternative name (for path validation).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from provisioning.errors import IdentityError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
PARSE_FAULTS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What reading a foreign certificate can raise; parts of it are read only when they are asked for."""
CLOCK_SLACK = timedelta(hours=1)
"""How long before "now" a certificate begins, so that a clock slightly behind accepts it."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority that can sign."""

    key: PrivateKey
    certificate: x509.Certificate

    def end_of(self, validity: "Validity") -> datetime:
        """Return when what is issued now ends: never after its issuer; `IdentityError` when that has ended.

        A certificate that outlived its issuer would be refused while its owner takes it for good.
        """
        last = self.certificate.not_valid_after_utc
        if last <= validity.now:
            name = common_name(self.certificate)
            raise IdentityError(f"{name} ended on {last:%Y-%m-%d}: it issues nothing any more")
        return min(validity.end, last)


@dataclass(frozen=True, slots=True)
class Validity:
    """From `now` (less a little slack) for `days`."""

    now: datetime
    days: int

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.now + timedelta(days=self.days)


def new_key() -> PrivateKey:
    """Make a P-256 key from the system's random source."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: PrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS #8 PEM; its file must be 0600."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> PrivateKey:
    """Read a P-256 key; `IdentityError` when it is anything else."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise IdentityError(f"P-256 key: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise IdentityError(f"P-256 key: found a {type(key).__name__}")
    return key


def to_pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return certificates one after the other as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def from_pem(pem: bytes) -> list[x509.Certificate]:
    """Read one or more certificates; `IdentityError` when there is none or one is damaged."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except PARSE_FAULTS as error:
        raise IdentityError(f"certificate: {error}") from None


def root(common_name: str, validity: Validity) -> Issuer:
    """Make a self-signed authority with a new key."""
    key = new_key()
    name = _name(common_name)
    builder = _builder(name, name, key=key, begin=validity.now, end=validity.end)
    builder = _as_authority(builder, key.public_key(), key, path_length=None)
    return Issuer(key, builder.sign(key, hashes.SHA256()))


def intermediate(parent: Issuer, common_name: str, validity: Validity) -> Issuer:
    """Make an authority with a new key below another one; see `intermediate_for`."""
    key = new_key()
    return Issuer(key, intermediate_for(parent, common_name, key=key.public_key(), validity=validity))


def intermediate_for(
    parent: Issuer, common_name: str, *, key: PublicKey, validity: Validity
) -> x509.Certificate:
    """Issue the certificate of an authority below another one, which may only issue leaves."""
    builder = _issued(parent, common_name, key=key, validity=validity)
    builder = _as_authority(builder, key, parent.key, path_length=0)
    return builder.sign(parent.key, hashes.SHA256())


def client(
    issuer: Issuer, common_name: str, *, uri: str, key: PrivateKey | PublicKey, validity: Validity
) -> x509.Certificate:
    """Issue a certificate that is good for TLS clients alone."""
    builder = _issued(issuer, common_name, key=key, validity=validity)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
    builder = _as_leaf(builder, issuer, key=key, usage=ExtendedKeyUsageOID.CLIENT_AUTH, names=names)
    return builder.sign(issuer.key, hashes.SHA256())


def server(
    issuer: Issuer,
    hosts: Sequence[str],
    *,
    key: PrivateKey,
    validity: Validity,
    common_name: str = "heng-broker",
) -> x509.Certificate:
    """Issue a certificate that is good for TLS servers alone, for host names and IP addresses."""
    builder = _issued(issuer, common_name, key=key, validity=validity)
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    builder = _as_leaf(builder, issuer, key=key, usage=ExtendedKeyUsageOID.SERVER_AUTH, names=names)
    return builder.sign(issuer.key, hashes.SHA256())


def common_name(certificate: x509.Certificate) -> str:
    """Return the one CN of a certificate's subject; `IdentityError` when there is none or several."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except PARSE_FAULTS as error:
        raise IdentityError(f"certificate: {error}") from None
    if len(names) != 1:
        raise IdentityError(f"certificate: {len(names)} common names: expected one")
    value = names[0].value
    return value if isinstance(value, str) else value.decode(errors="replace")


def spki_sha256(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of a certificate's public key (SubjectPublicKeyInfo), by which it is pinned.

    `IdentityError` when the key is of a kind that cannot be read.
    """
    try:
        key = certificate.public_key()
    except PARSE_FAULTS as error:
        raise IdentityError(f"public key: {error}") from None
    return hashlib.sha256(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def public_key_sha256(key: PublicKey) -> bytes:
    """Return the SHA-256 of a public key (SubjectPublicKeyInfo)."""
    return hashlib.sha256(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def serial_text(certificate: x509.Certificate) -> str:
    """Return the serial number as lower-case hexadecimal digits, as it is listed and stored."""
    return f"{certificate.serial_number:x}"


def renewal_due(certificate: x509.Certificate) -> datetime:
    """Return when two thirds of a certificate's life are over."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin + (end - begin) * 2 / 3


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return host names and addresses of a server's certificate."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *PARSE_FAULTS):
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def is_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the one is signed by the key of the other and names it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *PARSE_FAULTS):
        return False
    return True


def elliptic_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Return the key of a certificate; `IdentityError` when it is not one on an elliptic curve."""
    try:
        key = certificate.public_key()
    except PARSE_FAULTS as error:
        raise IdentityError(f"TLS key: {error}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise IdentityError(f"TLS key is {type(key).__name__}: expected an elliptic curve")
    return key


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise IdentityError(f"host {host!r}: {error}") from None


def _issued(
    issuer: Issuer, common_name: str, *, key: PrivateKey | PublicKey, validity: Validity
) -> x509.CertificateBuilder:
    return _builder(
        _name(common_name),
        issuer.certificate.subject,
        key=key,
        begin=validity.now,
        end=issuer.end_of(validity),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, *, key: PrivateKey | PublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(_public(key))
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - CLOCK_SLACK)
        .not_valid_after(end)
    )


def _public(key: PrivateKey | PublicKey) -> PublicKey:
    return key if isinstance(key, PublicKey) else key.public_key()


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _as_authority(
    builder: x509.CertificateBuilder, key: PublicKey, parent_key: PrivateKey, *, path_length: int | None
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(parent_key.public_key()), critical=False
        )
    )


def _as_leaf(
    builder: x509.CertificateBuilder,
    issuer: Issuer,
    *,
    key: PrivateKey | PublicKey,
    usage: x509.ObjectIdentifier,
    names: x509.SubjectAlternativeName,
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(_public(key)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
