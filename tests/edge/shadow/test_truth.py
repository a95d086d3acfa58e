"""What a gateway tells of its settings is what it runs, whatever was interrupted, edited or went wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wire.messages import Event, Gap
from wire.shadow import OWN_FILE, Desired, Revision, ShadowState
from wire.status import GapCause

Start = Callable[..., Any]
Unit = Callable[..., str]
Wish = Callable[..., Desired]
pytestmark = pytest.mark.requirement("G-4.3a")


def alone(folder: Path) -> str:
    text = (folder / "gateway.toml").read_text()
    return text.replace("[uplink]", 'settings = "file"\n[uplink]')


def test_file_that_counts_alone_is_not_told_as_the_hub_s_revision(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    process().play(wish(unit(timeout_ms=700), 1))
    one = process(file=alone(tmp_path))
    one.play()
    (told,) = one.quiet.reported
    assert one.settings.device[0].timeout_ms == 500
    assert (told.state, told.revision, told.running) == (ShadowState.REFUSED, Revision(0, 1), OWN_FILE)
    assert [fault.path for fault in told.faults] == ["gateway.settings"]


def test_file_that_counts_alone_from_the_beginning_is_no_refusal(process: Start, tmp_path: Path) -> None:
    process()
    one = process(file=alone(tmp_path))
    one.play()
    (told,) = one.quiet.reported
    assert (told.state, told.faults) == (ShadowState.FILE, [])


def test_interrupted_trial_is_not_taken_up_when_the_file_counts_alone(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    process().play(wish(unit(timeout_ms=700), 1), stop=lambda: True)
    first = process()
    first.play(wish(unit(timeout_ms=800), 2), stop=lambda: first.now > 1005)
    assert first.state.trial is not None
    text = (tmp_path / "gateway.toml").read_text()
    one = process(file=alone(tmp_path))
    one.play()
    assert one.settings.device[0].timeout_ms == 500
    assert (one.quiet.reported[-1].state, one.quiet.reported[-1].running) == (ShadowState.REFUSED, OWN_FILE)
    again = process(file=text)
    again.play(wish(unit(timeout_ms=800), 2))
    assert again.settings.device[0].timeout_ms == 800


def test_edited_file_that_was_not_read_again_is_not_told(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    one = process()
    text = (tmp_path / "gateway.toml").read_text().replace("timeout_ms = 500", "timeout_ms = 900")

    def edited() -> bool:
        if one.quiet.reported:
            (tmp_path / "gateway.toml").write_text(text)
        return False

    one.play(wish(unit(address=999), 1), stop=edited)
    assert [told.state for told in one.quiet.reported] == [ShadowState.FILE, ShadowState.REFUSED]
    assert one.quiet.reported[1].document == one.quiet.reported[0].document


def test_file_that_was_read_again_is_told(process: Start, tmp_path: Path) -> None:
    one = process()
    one.edit((tmp_path / "gateway.toml").read_text().replace("timeout_ms = 500", "timeout_ms = 900"))
    one.play()
    assert one.settings.device[0].timeout_ms == 900
    first, last = one.quiet.reported
    assert ("900" in first.document, "900" in last.document) == (False, True)
    assert last.running == OWN_FILE


def test_two_stops_while_a_start_settles_refuse_nothing(
    process: Start, unit: Unit, wish: Wish, killed: type[BaseException]
) -> None:
    def gone() -> None:
        raise killed

    one = process()
    one.while_watched = gone
    with pytest.raises(killed):
        one.play(wish(unit(timeout_ms=700), 1))
    for _ in range(2):
        again = process()
        again.while_watched = gone
        with pytest.raises(killed):
            again.play()
    last = process()
    last.play()
    assert last.quiet.reported[-1].state is ShadowState.APPLIED


def test_clean_stop_while_drivers_are_exchanged_has_it_tried_again(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    one.quiet.waits = True
    one.play(wish(unit(timeout_ms=700), 1), stop=lambda: one.quiet.waiting)
    assert one.state.trial.step == "staged"
    last = process()
    last.play()
    assert last.quiet.reported[-1].state is ShadowState.APPLIED


def test_change_that_fails_half_way_leaves_every_driver_running(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    one.quiet.trouble.append(OSError("no"))
    one.play(wish(unit(timeout_ms=700), 1))  # Every driver runs: asserted at its end.
    told = one.quiet.reported[-1]
    assert one.settings.device[0].timeout_ms == 500
    assert (told.state, told.running) == (ShadowState.ROLLED_BACK, OWN_FILE)


def test_return_that_fails_half_way_is_finished(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()

    def fails() -> None:
        one.fail_all()
        if not one.quiet.trouble:
            one.quiet.trouble.append(OSError("no"))

    one.while_watched = lambda: fails() if one.now > 1003 else None
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.settings.device[0].timeout_ms == 500
    assert one.quiet.reported[-1].running == OWN_FILE


def test_damaged_book_on_a_full_disk_still_tells_what_runs(process: Start, tmp_path: Path) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    process()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shadow.json").write_bytes(b"x")
    one = process(replace=full)
    one.play()
    assert [told.state for told in one.quiet.reported] == [ShadowState.FILE]


def test_point_lost_by_a_device_with_a_new_name_brings_the_old_settings_back(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    one.read_all()
    names = [point.name for point in one.crew.points]

    def one_is_lost() -> None:
        one.read_all()
        one.look(Gap(names[0], GapCause.BUS, 0, None, "no answer"))

    one.while_watched = lambda: one_is_lost() if one.now > 1003 else None
    one.play(wish(unit("another"), 1))
    told = one.quiet.reported[-1]
    assert told.state is ShadowState.ROLLED_BACK
    assert [fault.path for fault in told.faults] == ["device another"]


@pytest.mark.parametrize("kind", ["driver_failed", "part_failed"])
def test_what_failed_before_is_no_reason_to_go_back(
    process: Start, unit: Unit, wish: Wish, kind: str
) -> None:
    one = process()
    failed = Event(kind, "room" if kind == "driver_failed" else "media", 0, {"reason": "ValueError: no"})
    one.while_watched = lambda: one.look(failed)
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.quiet.reported[-1].state is ShadowState.APPLIED
