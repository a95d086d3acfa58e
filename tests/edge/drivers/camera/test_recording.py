"""The recording stays within its bounds, oldest first, and a wrong clock deletes nothing."""

from pathlib import Path

from edge.drivers.camera.decode import Closed, Progress, Timeline
from edge.drivers.camera.recording import Part, Recording
from wire.messages import Clock
from wire.status import ClockState

HOUR_MS = 3_600_000
UNKNOWN = Clock(ClockState.UNSYNCHRONISED)
KNOWN = Clock(ClockState.SYNCHRONISED, 1000, 5, "gnss")


def filled(folder: Path) -> Recording:
    """A folder with what a run left open, four timed segments an hour apart, and one without a time."""
    recording = Recording(folder, ending="ts")
    recording.begin(9)
    (folder / "000001-000000.part").write_bytes(b"x" * 10)
    for number in range(1, 5):
        (folder / f"000001-{number:06d}-t1-u{number * HOUR_MS}-d0.ts").write_bytes(b"x" * 10)
    (folder / "000002-000000-t1-u-d0.ts").write_bytes(b"x" * 10)
    recording.begin(9)
    return recording


def left(folder: Path) -> list[str]:
    return sorted(path.name[:13] for path in folder.iterdir())


def test_bytes_bound_takes_the_oldest(tmp_path: Path) -> None:
    assert filled(tmp_path).prune(bytes_max=35, age_max_h=1000, utc_ms=None) == (3, 30)
    assert left(tmp_path) == ["000001-000003", "000001-000004", "000002-000000"]


def test_age_bound_takes_what_lies_before_the_old_ones_too(tmp_path: Path) -> None:
    recording = filled(tmp_path)
    assert recording.prune(bytes_max=1000, age_max_h=2, utc_ms=None) == (0, 0)
    assert recording.prune(bytes_max=1000, age_max_h=2, utc_ms=4 * HOUR_MS) == (2, 20)
    assert left(tmp_path)[0] == "000001-000002"
    assert recording.prune(bytes_max=1000, age_max_h=2, utc_ms=2 * HOUR_MS) == (0, 0)


def test_newest_file_is_never_taken(tmp_path: Path) -> None:
    assert filled(tmp_path).prune(bytes_max=0, age_max_h=1, utc_ms=10**15)[0] == 5


def test_segment_is_found_before_and_after_it_is_named(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "new", ending="ts")
    recording.begin(3)
    timeline = Timeline()
    first, second = (tmp_path / "new" / f"000003-00000{n}.part" for n in (0, 1))
    for file in (first, second):
        file.write_bytes(b"x")
    closed = Closed(0, 10_000_000, 12_000_000)
    recording.closed(closed)
    assert recording.name(closed, timeline, KNOWN) is None
    assert list(recording.holding(0, 10**9)) == [
        Part(first, 10_000_000, 12_000_000),
        Part(second, 12_000_000, None),
    ]
    timeline.heard(Progress(1, 12_000_000), 20_000_000_000)
    named = recording.name(closed, timeline, KNOWN)
    assert named is not None
    assert (named.tick, named.utc_ms, named.duration_ms) == (1800, 28_000, 2000)
    assert recording.now_at(first) == tmp_path / "new" / named.name
    assert [part.file for part in recording.holding(10_500_000, 11_000_000)] == [recording.now_at(first)]
    assert recording.still(recording.holding(0, 10**9))
    recording.closed(Closed(1, 12_000_000, 14_000_000))
    unknown = recording.name(Closed(1, 12_000_000, 14_000_000), timeline, UNKNOWN)
    assert unknown is not None
    assert unknown.utc_ms is None
