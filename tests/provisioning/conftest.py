from datetime import UTC, datetime

import pytest

from provisioning.ca import CertificateAuthority

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def now() -> datetime:
    """The instant at which everything of these tests is issued."""
    return NOW


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority made at `now`."""
    return CertificateAuthority.create(tmp_path_factory.mktemp("authority") / "ca", now=NOW)
