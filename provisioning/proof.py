"""The TLS key of a gateway certifies its batch key: how the claim is made, and how the hub judges it.

It keeps nothing; what was proven is stored by the caller. Dates are judged at the `now` passed in.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from provisioning import certificates
from provisioning.certificates import PrivateKey
from provisioning.errors import IdentityError, ProofError
from provisioning.keys import PUBLIC_KEY_BYTES
from wire.messages import KeyProof, key_proof_bytes

_CHAIN_MAX = 4


def sign_key_proof(gateway: str, public_key: bytes, tls_key: PrivateKey) -> bytes:
    """Return the ECDSA-SHA256 signature (DER) by which a TLS key certifies a raw batch key."""
    return tls_key.sign(key_proof_bytes(gateway, public_key), ec.ECDSA(hashes.SHA256()))


def check_key_proof(
    gateway: str, proof: KeyProof, ca: x509.Certificate | Sequence[x509.Certificate], *, now: datetime
) -> bytes:
    """Return the raw Ed25519 key that is proven to be this gateway's, or raise `ProofError`.

    Checked in this order: the certificate leads to a root of `ca`, is a client's and valid at `now`;
    its CN is the gateway; its key signed the batch key for this gateway.
    """
    roots = [ca] if isinstance(ca, x509.Certificate) else list(ca)
    leaf = _check_chain(gateway, proof.certificate_pem, roots=roots, now=now)
    try:
        named = certificates.common_name(leaf)
    except IdentityError as error:
        raise ProofError(f"gateway {gateway}: {error}") from None
    if named != gateway:
        raise ProofError(f"gateway {gateway}: its certificate names {named[:80]!r}")
    if len(proof.public_key) != PUBLIC_KEY_BYTES:
        raise ProofError(f"gateway {gateway}: batch key of {len(proof.public_key)} bytes: expected 32")
    _check_signature(gateway, proof, leaf)
    return proof.public_key


def _check_chain(gateway: str, pem: str, *, roots: list[x509.Certificate], now: datetime) -> x509.Certificate:
    try:
        chain = certificates.from_pem(pem.encode())
    except (IdentityError, UnicodeEncodeError) as error:
        raise ProofError(f"gateway {gateway}: {error}") from None
    if len(chain) > _CHAIN_MAX:
        raise ProofError(f"gateway {gateway}: chain of {len(chain)}: expected at most {_CHAIN_MAX}")
    verifier = PolicyBuilder().store(Store(roots)).time(now).max_chain_depth(1).build_client_verifier()
    try:
        verifier.verify(chain[0], chain[1:])
    except (VerificationError, *certificates.PARSE_FAULTS) as error:
        first_line = str(error).partition("\n")[0]
        raise ProofError(f"gateway {gateway}: certificate is not to be trusted: {first_line}") from None
    return chain[0]


def _check_signature(gateway: str, proof: KeyProof, leaf: x509.Certificate) -> None:
    try:
        key = certificates.elliptic_key(leaf)
    except IdentityError as error:
        raise ProofError(f"gateway {gateway}: {error}") from None
    try:
        key.verify(proof.signature, key_proof_bytes(gateway, proof.public_key), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise ProofError(f"gateway {gateway}: its TLS key did not sign this batch key") from None
