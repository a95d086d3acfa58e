"""Jobs and calibrations of the hub: the newest document counts, is kept, and changes no latch."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from edge.control.work import KEY
from rules.interlock.model import Calibration
from rules.work import Work, encode_work
from tests.edge.control.site import RELAY, WARM, WORK, Site
from wire.control import ControlStatus
from wire.shadow import Revision
from wire.topics import Channel

GUARDED = WARM.replace("guarded = false", "guarded = true") + WORK
CERTIFICATE = Calibration(
    indicated=(Decimal(0), Decimal(40)),
    correction=(Decimal("0.5"), Decimal("0.5")),
    exponent=-2,
    expanded_uncertainty=Decimal("0.2"),
    calibrated_utc=0,
)


def work(number: int, *, gateway: str = "gw-1", certificate: Calibration = CERTIFICATE) -> bytes:
    document = Work(
        gateway=gateway,
        revision=Revision(1, number),
        issued_at_ms=1_700_000_000_000,
        calibrations={"room/temperature": certificate},
    )
    return encode_work(document)


def told(site: Site) -> ControlStatus:
    return site.work.told(ControlStatus(gateway="gw-1", boot=b"1" * 16, tick=1))


def test_without_a_calibration_a_guarded_limit_is_undetermined_and_counts_as_out() -> None:
    async def run() -> None:
        site = Site(GUARDED)
        site.later(2, "20")
        cause = site.now().causes[0]
        assert (cause.verdict, cause.votes, cause.uncertainty) == ("undetermined", True, "")

    asyncio.run(run())


def test_calibration_that_comes_counts_at_the_next_reading_and_trips_nothing() -> None:
    async def run() -> None:
        site = Site(GUARDED)
        site.work.take(work(1))
        await site.enabled()
        assert site.phase() == "healthy"
        breach = site.now().breach
        better = structs.replace(CERTIFICATE, expanded_uncertainty=Decimal("0.1"))
        site.work.take(work(2, certificate=better))
        site.later(2, "23")
        assert (site.phase(), site.now().breach) == ("healthy", breach)
        assert (site.now().causes[0].value, site.now().causes[0].uncertainty) == ("23.50 °C", "0.1 °C")

    asyncio.run(run())


def test_document_outlives_the_process_and_an_older_one_is_refused() -> None:
    async def run() -> None:
        site = Site(GUARDED)
        site.work.take(work(5))
        await site.disk.settle()
        site.begin()
        assert site.work.calibrations()["room/temperature"] == CERTIFICATE
        assert told(site).work.revision == Revision(1, 5)
        site.work.take(work(4))
        assert told(site).work.refused == Revision(1, 4)
        assert told(site).work.refusal.startswith("older")
        assert told(site).work.revision == Revision(1, 5)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "malformed"),
        (work(9, gateway="gw-2"), "other_gateway"),
        (
            work(5, certificate=structs.replace(CERTIFICATE, expanded_uncertainty=Decimal(1))),
            "contradictory",
        ),
    ],
)
def test_document_that_is_none_of_this_gateway_is_refused_whole(body: bytes, word: str) -> None:
    site = Site(WARM + RELAY)
    site.work.take(work(5))
    site.work.came[Channel.DOWN_WORK](body)
    assert told(site).work.refusal.startswith(word)
    assert site.work.calibrations()["room/temperature"] == CERTIFICATE
    assert site.disk.kinds().count("work_refused") == 1


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"indicated": (), "correction": ()}, "at least one"),
        ({"correction": (Decimal("0.5"),)}, "2 indicated and 1 correction"),
        ({"indicated": (Decimal(40), Decimal(40))}, "indicated 40 after 40"),
        ({"indicated": (Decimal("NaN"), Decimal(40))}, "indicated NaN"),
        ({"correction": (Decimal(0), Decimal("Infinity"))}, "correction Infinity"),
        ({"correction": (Decimal(0), Decimal("1e-999999"))}, "correction 1E-999999"),
        ({"indicated": (Decimal(0), Decimal("1e999999"))}, "indicated 1E+999999"),
        ({"exponent": -(10**9)}, "exponent -1000000000"),
        ({"expanded_uncertainty": Decimal("-0.1")}, "expanded_uncertainty -0.1"),
        ({"drift_per_day": Decimal("sNaN")}, "drift_per_day sNaN"),
        ({"drift_per_day": Decimal(-1)}, "drift_per_day -1"),
    ],
)
def test_calibration_that_no_count_can_be_read_by_is_refused_whole_and_the_old_one_stays(
    changed: dict[str, Any], word: str
) -> None:
    site = Site(GUARDED)
    site.work.take(work(5))
    site.work.take(work(6, certificate=structs.replace(CERTIFICATE, **changed)))
    assert told(site).work.refusal.startswith("malformed: work: calibrations of room/temperature: ")
    assert word in told(site).work.refusal
    assert site.work.calibrations()["room/temperature"] == CERTIFICATE
    assert told(site).work.revision == Revision(1, 5)


def test_kept_document_that_does_not_count_is_as_none_and_told() -> None:
    site = Site(GUARDED)
    site.disk.kept[KEY] = work(5, certificate=structs.replace(CERTIFICATE, correction=()))
    site.begin()
    assert site.work.calibrations() == {}
    assert told(site).work.refusal.startswith("what was kept does not count: work: ")
    assert site.disk.kinds().count("work_refused") == 1
    site.work.take(work(6))
    assert site.work.calibrations()["room/temperature"] == CERTIFICATE


def test_calibration_that_leaves_nothing_inside_the_limits_is_told_once() -> None:
    site = Site(WARM.replace("high = 24.1\nguarded = false", "low = 23.9\nhigh = 24.1") + WORK)
    for number in (1, 2):
        site.work.take(work(number))
    told = [data for kind, data, _ in site.disk.told if kind == "interlock_doubtful"]
    assert len(told) == 1
    assert "nothing is left of room/temperature" in str(told[0]["reason"])
