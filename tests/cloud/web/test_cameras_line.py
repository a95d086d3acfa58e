"""A camera's time line as drawn: places, words, what is never hidden."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.store.camera_timeline import Picture, Segment, Span
from cloud.web.cameras_line import (
    Scale,
    bars_of,
    marks_of,
    rows_of,
    sample_stretch,
    segments_of,
    shares_of,
    ticks_of,
)
from cloud.web.language import language

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
EN = language("en")
HOUR = Scale(NOON, NOON + timedelta(hours=1))


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


def picture(at: datetime | None, state: str = "stored") -> Picture:
    return Picture(at, state, "timer", "", "0" * 64, 5, 1, None, None)


def test_gap_is_seen_however_short_and_lies_on_top() -> None:
    spans = [
        Span("recorded", after(), after(minutes=30)),
        Span("gap", after(minutes=30), after(minutes=30, milliseconds=5), "bus", "no new frame for 10 s"),
        Span("recorded", after(minutes=30, milliseconds=5), after(minutes=60)),
    ]
    bars = bars_of(spans, HOUR, language=EN, zone=SHANGHAI)
    assert [bar.state for bar in bars] == ["recorded", "recorded", "gap"]
    assert (bars[-1].x, bars[-1].width) == ("50.000%", "0.300%")
    assert bars[-1].words.startswith("Not recorded: bus: no new frame for 10 s, 2026-03-01 20:30:00")


def test_short_gap_at_the_end_does_not_reach_beyond_the_line() -> None:
    span = Span("gap", after(minutes=60, milliseconds=-5), after(minutes=60), "power")
    (bar,) = bars_of([span], HOUR, language=EN, zone=SHANGHAI)
    assert (bar.x, bar.width) == ("99.700%", "0.300%")


def test_marks_of_one_place_are_one_for_each_state() -> None:
    pictures = [
        picture(None),
        picture(after(minutes=6)),
        picture(after(minutes=6, seconds=1)),
        picture(after(minutes=6, seconds=1), "dropped"),
        picture(after(minutes=12)),
    ]
    marks = marks_of(pictures, HOUR, language=EN, zone=SHANGHAI)
    assert [(mark.link, mark.state, mark.x) for mark in marks] == [
        (1, "stored", "10.000%"),
        (3, "dropped", "10.028%"),
        (4, "stored", "20.000%"),
    ]
    assert "dropped at the gateway" in marks[1].words


def test_parts_that_were_deleted_are_not_drawn() -> None:
    here = Segment(after(minutes=1), after(minutes=2), "0" * 64, 5, "video/mp2t", True, None, None)
    gone = Segment(after(minutes=3), after(minutes=4), "1" * 64, 5, "video/mp2t", True, NOON, "old")
    bars = segments_of([here, gone], HOUR, words="Brought here", zone=SHANGHAI)
    assert [bar.from_ms for bar in bars] == [round(after(minutes=1).timestamp() * 1000)]


@given(
    minutes=st.integers(-10_000_000, 10_000_000),
    seconds=st.integers(1, 7 * 86_400),
    zone=st.sampled_from(["Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "UTC"]),
)
def test_times_below_the_line_are_few_and_within_it(minutes: int, seconds: int, zone: str) -> None:
    start = after(minutes=minutes)
    ticks = ticks_of(start, start + timedelta(seconds=seconds), ZoneInfo(zone))
    places = [float(tick.x.rstrip("%")) for tick in ticks]
    assert len(ticks) <= 8
    assert places == sorted(places)
    assert all(4 <= place <= 96 for place in places)


@pytest.mark.parametrize(
    ("span", "texts"),
    [
        (timedelta(hours=1), ["20:10", "20:20", "20:30", "20:40", "20:50"]),
        (timedelta(hours=24), ["00:00", "04:00", "08:00", "12:00", "16:00"]),
        (timedelta(days=7), ["03-03", "03-04", "03-05", "03-06", "03-07", "03-08"]),
    ],
)
def test_times_below_the_line_are_round_ones_of_the_site(span: timedelta, texts: list[str]) -> None:
    assert [tick.text for tick in ticks_of(NOON, NOON + span, SHANGHAI)] == texts


def test_list_says_what_the_line_says_newest_first() -> None:
    spans = [
        Span("unknown", after(), after(minutes=15)),
        Span("gap", after(minutes=15), after(minutes=30), "bus", "no answer"),
        Span("recorded", after(minutes=30), after(minutes=60)),
    ]
    rows = rows_of(spans, language("zh"))
    assert [(row.word, row.cause, row.reason.text) for row in rows] == [
        ("已录像", "", ""),
        ("未录像", "总线", "没有应答"),
        ("不明", "", ""),
    ]
    assert [(share.state, share.percent) for share in shares_of(spans, EN)] == [
        ("recorded", "50.0"),
        ("gap", "25.0"),
        ("unknown", "25.0"),
    ]
    assert shares_of([], EN) == []


def test_share_is_never_rounded_up_to_all() -> None:
    spans = [
        Span("recorded", after(), after(minutes=60, milliseconds=-1)),
        Span("gap", after(minutes=60, milliseconds=-1), after(minutes=60), "bus"),
    ]
    assert shares_of(spans, EN)[0].percent == "99.9"


def test_newest_recording_is_suggested_on_whole_seconds() -> None:
    spans = [
        Span("recorded", after(), after(minutes=10, milliseconds=700)),
        Span("awaited", after(minutes=10, milliseconds=700), after(minutes=11)),
    ]
    assert sample_stretch(spans, timedelta(minutes=1)) == (after(minutes=9), after(minutes=10))
    assert sample_stretch(spans[1:], timedelta(minutes=1)) is None
