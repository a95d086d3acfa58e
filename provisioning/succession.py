"""How an issuing CA is followed by the next one, while gateways with certificates of both go on.

Three steps, because the root's key is kept elsewhere: the hub's machine makes a key and asks (`ask`), the
machine with the root's key signs (`sign_next`), the hub's machine takes it into use (`use`). Gateways trust
the root alone and bring their issuing CA along, so nothing has to be told to them: each gets a certificate of
the new one when it renews. The CA before stays in the folder: its list of revoked certificates goes on.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from provisioning import certificates, files
from provisioning.ca import ISSUING_DAYS, CertificateAuthority
from provisioning.certificates import PARSE_FAULTS, Issuer, PublicKey, Validity
from provisioning.errors import IdentityError

NEXT_KEY = "next-issuing-key.pem"
_KEY, _CERTIFICATE = "issuing-key.pem", "issuing-cert.pem"


def ask(folder: Path) -> bytes:
    """Make the next issuing CA's key, unless it is there, and return its request (PEM) to the root."""
    CertificateAuthority.load(folder)
    path = folder / NEXT_KEY
    if not path.exists():
        files.write_new(path, certificates.key_to_pem(certificates.new_key()))
    key = certificates.key_from_pem(files.read(path))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _name(key.public_key()))])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def sign_next(request_pem: bytes, root: Issuer, *, now: datetime, days: int = ISSUING_DAYS) -> bytes:
    """Return the certificate (PEM) of the next issuing CA; it ends with its root at the latest.

    `IdentityError` when the request is none, or the root is none or has ended.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        key = request.public_key()
        signed = request.is_signature_valid
    except PARSE_FAULTS as error:
        raise IdentityError(f"request: {error}") from None
    if not signed or not isinstance(key, PublicKey) or key.curve.name != "secp256r1":
        raise IdentityError("request: expected one of a P-256 key that has signed it")
    if not certificates.is_issued(root.certificate, root.certificate):
        raise IdentityError("root: expected a certificate that its own key has signed")
    if certificates.public_key_sha256(root.key.public_key()) != certificates.spki_sha256(root.certificate):
        raise IdentityError("root: expected the key of its certificate")
    made = certificates.intermediate_for(root, _name(key), key=key, validity=Validity(now, days))
    return certificates.to_pem([made])


def use(folder: Path, certificate_pem: bytes, *, now: datetime) -> CertificateAuthority:
    """Take the next issuing CA into use and return the authority; after a crash, do it again.

    `IdentityError` when the certificate is not of the next key, of another root, or not valid now.
    """
    found = certificates.from_pem(certificate_pem)[0]
    key_pem = files.read(folder / NEXT_KEY)
    _check(found, files.read(folder / "root-cert.pem"), key_pem, now=now)
    _keep_present(folder, found)
    files.replace(folder / _KEY, key_pem)
    files.replace(folder / _CERTIFICATE, certificates.to_pem([found]), mode=files.PUBLIC)
    authority = CertificateAuthority.load(folder)
    authority.write_revocations(_revoked(authority), now=now)
    (folder / NEXT_KEY).unlink()
    return authority


def _check(found: x509.Certificate, root_pem: bytes, key_pem: bytes, *, now: datetime) -> None:
    key = certificates.key_from_pem(key_pem).public_key()
    if certificates.spki_sha256(found) != certificates.public_key_sha256(key):
        raise IdentityError(f"certificate: is not of the key in {NEXT_KEY}")
    if not certificates.is_issued(found, certificates.from_pem(root_pem)[0]):
        raise IdentityError("certificate: is not signed by the root of this authority")
    if not found.not_valid_before_utc <= now < found.not_valid_after_utc:
        raise IdentityError(f"certificate: is valid until {found.not_valid_after_utc:%Y-%m-%d}, not now")
    try:
        may = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (x509.ExtensionNotFound, *PARSE_FAULTS):
        may = None
    if may is None or not may.ca or may.path_length != 0:
        raise IdentityError("certificate: expected one that may issue leaves and nothing else")


def _keep_present(folder: Path, following: x509.Certificate) -> None:
    """Copy the present issuing CA aside; after a crash its key may have been followed already."""
    certificate = files.read(folder / _CERTIFICATE)
    present = certificates.from_pem(certificate)[0]
    aside = folder / "earlier" / certificates.serial_text(present)
    if present == following or (aside / _CERTIFICATE).exists():
        return
    files.make_folder(aside)
    files.replace(aside / _KEY, files.read(folder / _KEY))
    files.replace(aside / _CERTIFICATE, certificate, mode=files.PUBLIC)


def _revoked(authority: CertificateAuthority) -> list[int]:
    """Return what is on the present list, so that nobody comes in again until the hub writes it anew."""
    begin = b"-----BEGIN X509 CRL-----"
    parts = authority.revocations_pem().split(begin)[1:]
    try:
        lists = [x509.load_pem_x509_crl(begin + part) for part in parts]
    except PARSE_FAULTS as error:
        raise IdentityError(f"{authority.revocations}: {error}") from None
    return sorted({one.serial_number for listed in lists for one in listed})


def _name(key: PublicKey) -> str:
    """Return a name that no other issuing CA of this root has: lists are found by their issuer's."""
    return f"Heng issuing CA {certificates.public_key_sha256(key)[:4].hex()}"
