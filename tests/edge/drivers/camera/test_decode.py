"""What ffmpeg and a camera say becomes frames, segments and times; secrets never come through."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.camera.decode import (
    AHEAD_US,
    WINDOW,
    Closed,
    Progress,
    Report,
    Segment,
    Timeline,
    around,
    clock_offset,
    frames_of,
    frozen,
    scrub,
    segment_of,
)

BLOCK = [b"frame=92\n", b"fps=10.00\n", b"out_time_us=8500011\n", b"out_time=00:00:08.500011\n"]


def test_progress_is_put_together_from_its_lines() -> None:
    report = Report()
    assert [report.line(line) for line in BLOCK] == [None] * 4
    assert report.line(b"progress=continue\n") == Progress(92, 8_500_011 + AHEAD_US)
    assert report.line(b"progress=end\n") is None


def test_segment_list_lies_between_the_lines_of_progress() -> None:
    report = Report()
    report.line(BLOCK[0])
    assert report.line(b"000012-000003.part,9.000000,-0.250000\n") == Closed(3, 9_000_000, -250_000)
    report.line(BLOCK[2])
    assert report.line(b"progress=continue") == Progress(92, 8_500_011 + AHEAD_US)


@pytest.mark.parametrize("value", [b"N/A", b"", b"1.5", b"99999999999999999999", b"-1"])
def test_progress_without_frames_or_time_is_none(value: bytes) -> None:
    report = Report()
    report.line(b"frame=" + value)
    report.line(b"out_time_us=0")
    assert report.line(b"progress=continue") is None


def test_freeze_and_its_end_are_read() -> None:
    assert frozen(b"[freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_start: 12.4\n") is True
    assert frozen(b"[freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_end: 18\n") is False
    assert frozen(b"[freezedetect @ 0x1] [info] lavfi.freezedetect.freeze_duration: 5.6\n") is None


def test_timeline_believes_the_report_that_came_soonest_and_forgets() -> None:
    timeline = Timeline()
    assert not timeline.known
    timeline.heard(Progress(1, 1_000_000), 9_000_000_000)
    timeline.heard(Progress(2, 2_000_000), 7_100_000_000)
    timeline.heard(Progress(3, 3_000_000), 8_300_000_000)
    assert timeline.known
    assert not timeline.settled
    assert timeline.ns(2_500_000) == 7_600_000_000
    assert timeline.us(7_600_000_000) == 2_500_000
    assert timeline.jitter_ms == 2900
    for second in range(WINDOW):
        timeline.heard(Progress(4, 0), 6_000_000_000 + second)
    assert timeline.settled
    assert timeline.ns(0) == 6_000_000_000
    assert timeline.jitter_ms == 1


def test_segment_tells_everything_by_its_name() -> None:
    for one in (Segment(1, 2, 34, 56, 78, "ts"), Segment(999_999, 1_000_000, 0, None, 0, "mkv")):
        assert segment_of(one.name) == one
    assert Segment(1, 2, 34, None, 78, "ts").name == "000001-000002-t34-u-d78.ts"
    for other in ("000001-000002.part", "x.ts", "000001-000002-t34-u-d78.ts\n", ""):
        assert segment_of(other) is None


def test_frames_are_listed_in_order_whatever_stands_around_them() -> None:
    listing = b"10.900000,\n\n11.000000\nN/A\n10.800000,K__\nnonsense\n-0.100000\n"
    assert frames_of(listing) == [-100_000, 10_800_000, 10_900_000, 11_000_000]


@pytest.mark.requirement("G-6.9c3")
def test_nearest_frames_of_a_moment_are_within_a_second() -> None:
    frames = [0, 900_000, 1_000_000, 1_100_000, 5_000_000]
    assert around(frames, 1_000_000, 10**6) == (1_000_000, 1_100_000)
    assert around(frames, 1_050_000, 10**6) == (1_000_000, 1_100_000)
    assert around(frames, 2_100_001, 10**6) == (None, None)
    assert around([], 0, 10**6) == (None, None)


def test_no_secret_comes_through() -> None:
    text = "rtsp://u:p%20w@host/a: 401, tried u:p w and p w at http://admin:x@h/"
    assert (
        scrub(text, ["p w", "u:p w", "", "p%20w"])
        == "rtsp://***@host/a: 401, tried *** and *** at http://***@h/"
    )


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("rtsp://u:p@ss@h/a: 401", "rtsp://***@h/a: 401"),
        ("rtsp://h/user=admin&password=tlJwpbo6&channel=1", "rtsp://h/user=***&password=***&channel=1"),
        ("http://h/video?pwd=x y", "http://h/video?pwd=*** y"),
    ],
)
def test_no_login_in_an_address_comes_through(text: str, hidden: str) -> None:
    assert scrub(text, []) == hidden


def test_clock_of_a_camera_is_bounded_by_its_seconds_and_the_round_trip() -> None:
    answer = b"RTSP/1.0 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nCSeq: 1\r\n\r\n"
    at_ms = 784_887_151_000
    assert clock_offset(answer, utc_ms=at_ms, bound_ms=7, round_trip_ms=31) == (500, 523)
    assert clock_offset(answer, utc_ms=at_ms + 3500, bound_ms=0, round_trip_ms=0) == (-3000, 500)
    for bad in (
        b"",
        b"RTSP/1.0 200 OK\r\n\r\n",
        answer.replace(b"15 Nov", b"35 Now"),
        answer.replace(b"1994", b"x"),
    ):
        assert clock_offset(bad, utc_ms=at_ms, bound_ms=0, round_trip_ms=0) is None


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_lines_are_passed_over_or_understood(lines: list[bytes]) -> None:
    report = Report()
    for line in [*lines, b"progress=" + b"".join(lines)[:5]]:
        assert isinstance(report.line(line), Progress | Closed | None)
        frozen(line)
        frames_of(line)
        segment_of(line.decode("latin-1"))
        clock_offset(b"\r\nDate: " + line + b"\r\n", utc_ms=0, bound_ms=0, round_trip_ms=0)


@given(st.decimals(-1000, 1000, places=6))
def test_times_keep_their_microseconds(seconds: Decimal) -> None:
    assert frames_of(f"{seconds:.6f},".encode()) == [int(seconds * 10**6)]
