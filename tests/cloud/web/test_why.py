"""Why a point lacks a value: the gap says it best, then its gateways, then what it said itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cloud.store.gaps_read import Gap
from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.store.sites import Gateway
from cloud.web.figures import milliseconds
from cloud.web.language import language
from cloud.web.reasons import Said
from cloud.web.why import Why, why

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SEEN = NOW - timedelta(minutes=42)
LOST_AT = NOW - timedelta(minutes=41)
POINT = Point(5, 1, 1, "lab-1", "room-1/air/temperature", "temperature", "analog", {}, -3, 1000, NOW)
SILENT = Latest(POINT, "silent", SEEN, "20", "20", None, "good", 2520.0)
ABSENT = replace(SILENT, state="absent", value=None, raw=None, status="device_error")
NEVER = Latest(POINT, "never", None, None, None, None, None, None)
ONLINE = Gateway(1, "institute", "lab-1", 1, "lab-1", True, SEEN, None, SEEN, NOW)
LOST = replace(ONLINE, online=False, online_since=LOST_AT)
GAP = Gap(1, 5, POINT.name, 1, "lab-1", "bus", "no answer within 1 s", LOST_AT, NOW, True, NOW)
EN, ZH = language("en"), language("zh")
NOTHING = Said("")


@pytest.mark.parametrize(("latest", "since"), [(SILENT, SEEN), (ABSENT, LOST_AT), (NEVER, LOST_AT)])
def test_open_gap_tells_cause_reason_and_begin(latest: Latest, since: datetime) -> None:
    assert why(latest, GAP, absent_from=None, gateways=[LOST], language=EN) == Why(
        "bus", Said("no answer within 1 s"), milliseconds(since)
    )
    assert why(latest, GAP, absent_from=None, gateways=[LOST], language=ZH).reason == Said("1 秒内无应答")


def test_silence_of_several_gaps_began_with_the_last_reading() -> None:
    """First the sensor failed, then the bus: the open gap tells the cause, the last reading since when."""
    joined = replace(GAP, from_at=NOW - timedelta(minutes=2))
    found = why(SILENT, joined, absent_from=None, gateways=[ONLINE], language=EN)
    assert (found.cause, found.since_ms) == ("bus", milliseconds(SEEN))


def test_gap_without_a_begin_begins_at_the_last_reading() -> None:
    assert why(
        SILENT, replace(GAP, from_at=None), absent_from=None, gateways=[ONLINE], language=EN
    ).since_ms == milliseconds(SEEN)
    assert (
        why(NEVER, replace(GAP, from_at=None), absent_from=None, gateways=[ONLINE], language=EN).since_ms
        is None
    )


def test_gateway_that_is_not_heard_is_the_cause_since_then() -> None:
    found = why(SILENT, None, absent_from=None, gateways=[LOST], language=EN)
    assert found == Why("gateway suspected offline", NOTHING, milliseconds(SEEN))
    found = why(NEVER, None, absent_from=None, gateways=[LOST], language=EN)
    assert found == Why("gateway suspected offline", NOTHING, milliseconds(LOST_AT))


def test_silence_of_a_site_without_gateway_is_put_down_to_that() -> None:
    other = replace(LOST, site_id=2)
    assert (
        why(SILENT, None, absent_from=None, gateways=[other], language=EN).cause
        == "no gateway serves this site"
    )


def test_silence_that_nothing_explains_says_so_and_since_when() -> None:
    assert why(SILENT, None, absent_from=None, gateways=[ONLINE], language=EN) == Why(
        "no cause told yet", NOTHING, milliseconds(SEEN)
    )


def test_absence_says_since_when_beside_its_status() -> None:
    assert why(ABSENT, None, absent_from=SEEN, gateways=[ONLINE], language=EN) == Why(
        "", NOTHING, milliseconds(SEEN)
    )
    assert why(ABSENT, None, absent_from=None, gateways=[ONLINE], language=EN).since_ms is None


def test_point_never_heard_needs_no_more_words() -> None:
    assert why(NEVER, None, absent_from=None, gateways=[ONLINE], language=EN) == Why("", NOTHING, None)
