"""Certificates that no program renews are warned of long before they end."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloud.endings import Endings, looks_of
from cloud.settings import Broker, HubSettings
from provisioning.ca import ISSUING_DAYS, LEAF_DAYS, CertificateAuthority

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    at = NOW

    def __call__(self) -> datetime:
        return self.at

    def days(self, number: float) -> None:
        self.at += timedelta(days=number)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endings(tmp_path: Path, clock: Clock) -> Endings:
    """Those of a hub that does everything, whose certificates were made now."""
    authority = CertificateAuthority.create(tmp_path / "ca", now=NOW)
    worker = authority.issue_hub("main", now=NOW)
    settings = HubSettings("", Broker("", 0), worker.folder)
    environment = {
        "HENG_ENROL_CA": str(authority.folder),
        "HENG_MEDIA_PORT": "8886",
        "HENG_MEDIA_FOLDER": str(tmp_path / "media"),
        "HENG_MEDIA_CERTIFICATE": str(authority.broker_folder),
    }
    return Endings(looks_of(settings, ("web", "est"), environment), clock)


def near(endings: Endings, clock: Clock) -> list[str]:
    return [one.told(clock()) for one in endings.near()]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    caplog.clear()
    return found


def test_nothing_is_said_while_nothing_ends(endings: Endings, caplog: pytest.LogCaptureFixture) -> None:
    endings.look()
    assert endings.near() == []
    assert told(caplog) == []


def test_what_ends_is_logged_once_a_day_and_says_what_to_do(
    endings: Endings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.days(LEAF_DAYS - 80)
    endings.look()
    said = near(endings, clock)
    assert {one.split(" ends on ")[0] for one in said} == {
        "certificate of the broker",
        "certificate of the media listener",
        "certificate of hub worker main",
        "certificate of this worker",
    }
    assert "certificate of the broker ends on 2028-06-03: heng ca server, heng broker config" in said
    assert len(told(caplog)) == 4
    for _ in range(3):
        clock.days(0.3)
        endings.look()
    assert told(caplog) == []
    clock.days(0.3)
    endings.look()
    assert len(told(caplog)) == 4


def test_issuing_ca_is_warned_of_two_years_before_it_ends(endings: Endings, clock: Clock) -> None:
    clock.days(ISSUING_DAYS - 720)
    endings.look()
    assert "issuing CA ends on 2036-03-01: heng ca issuing ask, sign, use" in near(endings, clock)
    clock.days(730)
    endings.look()
    assert "issuing CA ended on 2036-03-01: heng ca issuing ask, sign, use" in near(endings, clock)


def test_file_that_is_gone_is_said_and_hides_nothing_else(
    endings: Endings, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "ca" / "hubs" / "main" / "ca.pem").unlink()
    clock.days(ISSUING_DAYS)
    endings.look()
    assert any("ca.pem: cannot be read" in one for one in told(caplog))
    assert any(one.startswith("issuing CA") for one in near(endings, clock))
