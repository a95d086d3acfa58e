"""Writes the list of revoked certificates that the broker refuses new connections by (RFC 5280)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from provisioning.certificates import CLOCK_SLACK, Issuer


def revocation_list(issuer: Issuer, serials: Sequence[int], *, now: datetime) -> bytes:
    """Return a list of these serial numbers as PEM, signed by their issuer.

    It never runs out before its issuer does: a broker with a list that ran out refuses everybody, and what
    a hub revokes reaches the broker at once and not by waiting for the next list.
    """
    end = max(issuer.certificate.not_valid_after_utc, now + timedelta(days=1))
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - CLOCK_SLACK)
        .next_update(end)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1000)), critical=False)
    )
    for serial in sorted(set(serials)):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - CLOCK_SLACK)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
