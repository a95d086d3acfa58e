"""Settings of the hub are kept, refused or rolled back, and a gateway always starts with what ran well."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import files
from wire.messages import Event, Gap
from wire.shadow import OWN_FILE, Desired, Revision, ShadowState, document_hash
from wire.status import GapCause

Start = Callable[..., Any]
Unit = Callable[..., str]
Wish = Callable[..., Desired]
pytestmark = pytest.mark.requirement("G-4.3a")


def test_first_report_is_the_file_without_its_own_sections(process: Start) -> None:
    one = process()
    one.play()
    (told,) = one.quiet.reported
    assert (told.state, told.revision, told.running) == (ShadowState.FILE, OWN_FILE, OWN_FILE)
    assert told.document.startswith("[[device]]")
    assert "uplink" not in told.document
    assert told.hash == document_hash(told.document)


def test_healthy_settings_stay_and_are_there_after_a_restart(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.while_watched = one.read_all
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.settings.device[0].timeout_ms == 700
    assert one.events == ["settings_staged", "settings_applied", "settings_kept"]
    assert [told.state for told in one.quiet.reported][1:] == [ShadowState.TRYING, ShadowState.APPLIED]
    again = process()
    again.play()
    assert again.settings == one.settings
    (told,) = again.quiet.reported
    assert (told.state, told.running) == (ShadowState.APPLIED, Revision(0, 1))


def test_driver_whose_settings_did_not_change_is_not_touched(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    kept = one.crew.drivers[0]
    one.play(wish(unit(timeout_ms=500) + unit("new", prefix="new"), 1))
    assert one.crew.drivers[0] is kept
    assert [driver.name for driver in one.crew.drivers] == ["room", "new"]


def test_identical_settings_are_kept_without_touching_anything(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    kept = one.crew.drivers[0]
    one.play(wish("# only a remark\n" + unit(), 1))
    assert one.crew.drivers[0] is kept
    assert one.events == ["settings_staged", "settings_kept"]
    assert one.quiet.reported[-1].state is ShadowState.APPLIED


def test_every_fault_is_reported_and_nothing_runs(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.play(
        wish('[uplink]\nhost = "elsewhere"\n' + unit(address=999) + unit("b", prefix="b", timeout_ms=-1), 1)
    )
    told = one.quiet.reported[-1]
    assert told.state is ShadowState.REFUSED
    assert [fault.path for fault in told.faults] == [
        "uplink",
        "device[0].unit[0].address",
        "device[1].timeout_ms",
    ]
    assert one.events == ["settings_staged", "settings_refused"]
    assert one.settings.device[0].timeout_ms == 500


def test_section_that_needs_a_restart_is_refused(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.play(wish("[journal]\nbytes_max = 2000000\n" + unit(), 1))
    (fault,) = one.quiet.reported[-1].faults
    assert (fault.path, fault.expectation) == ("journal", "a restart of the gateway to take it over")
    assert process().sources.in_force().settings.journal.bytes_max == 10**9


def test_points_that_are_no_longer_read_bring_the_old_settings_back(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    one.read_all()
    one.play(wish(unit(address=2), 1))
    assert one.settings.device[0].unit[0].address == 1
    assert one.events == ["settings_staged", "settings_applied", "settings_applied", "settings_rolled_back"]
    told = one.quiet.reported[-1]
    assert (told.state, told.running) == (ShadowState.ROLLED_BACK, OWN_FILE)
    assert told.faults[0].path == "device room"
    assert "as before the change" in told.faults[0].expectation


def test_driver_that_ends_unexpectedly_is_reason_enough_at_once(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    failed = Event("driver_failed", "room", 0, {"reason": "ValueError: no"})
    one.while_watched = lambda: one.look(failed) if one.now > 1004 else None
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.quiet.reported[-1].state is ShadowState.ROLLED_BACK
    assert one.now < 1006


def test_line_that_is_lost_for_good_brings_the_old_settings_back(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()

    def lost() -> None:
        one.quiet.connected = one.now < 1003

    one.while_watched = lost
    one.play(wish(unit(timeout_ms=700), 1))
    assert [fault.path for fault in one.quiet.reported[-1].faults] == ["uplink"]


def test_device_that_never_answered_is_no_reason_to_go_back(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.read_all()

    def others() -> None:
        one.read_all()
        one.look(Gap("new/air/temperature", GapCause.BUS, 0, None, "no answer"))

    one.while_watched = others
    one.play(wish(unit() + unit("new", prefix="new"), 1))
    assert one.quiet.reported[-1].state is ShadowState.APPLIED


def test_untouched_device_that_falls_silent_brings_the_old_settings_back(
    process: Start, unit: Unit, wish: Wish
) -> None:
    one = process()
    one.read_all()
    names = [point.name for point in one.crew.points]

    def silent() -> None:
        for name in names if one.now > 1003 else ():
            one.look(Gap(name, GapCause.BUS, 0, None, "no answer"))

    one.while_watched = silent
    one.play(wish(unit() + unit("new", prefix="new"), 1))
    assert one.quiet.reported[-1].state is ShadowState.ROLLED_BACK


def test_older_and_repeated_revisions_change_nothing(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.play(wish(unit(timeout_ms=700), 7))
    again = process()
    again.wishes.put(wish(unit(timeout_ms=600), 7))
    again.wishes.put(wish(unit(timeout_ms=600), 6))
    again.play()
    assert again.settings.device[0].timeout_ms == 700
    assert again.events == []


def test_restored_hub_begins_a_new_incarnation_and_is_heard(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.play(wish(unit(timeout_ms=700), 7), wish(unit(timeout_ms=600), 2, incarnation=1))
    assert one.settings.device[0].timeout_ms == 600
    assert one.quiet.reported[-1].running == Revision(1, 2)


def test_document_that_is_not_what_its_hash_names_is_ignored(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    desired = wish(unit(), 1)
    one.wishes.put(
        Desired(gateway="lab-1", revision=desired.revision, hash=desired.hash, document=unit(timeout_ms=900))
    )
    one.play(wish(unit(timeout_ms=600), 2))
    assert one.settings.device[0].timeout_ms == 600
    assert one.state.seen == Revision(0, 2)


def test_file_that_takes_nothing_from_the_hub_counts_alone(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    process().play(wish(unit(timeout_ms=700), 1))
    text = (tmp_path / "gateway.toml").read_text().replace("[uplink]", 'settings = "file"\n[uplink]')
    one = process(file=text)
    one.play(wish(unit(timeout_ms=600), 2))
    assert one.settings.device[0].timeout_ms == 500
    told = one.quiet.reported[-1]
    assert [fault.path for fault in told.faults] == ["gateway.settings"]
    assert (told.state, told.revision, told.running) == (ShadowState.REFUSED, Revision(0, 2), OWN_FILE)
    again = process(file=text.replace('settings = "file"\n', ""))
    again.play(wish(unit(timeout_ms=600), 2))
    assert again.settings.device[0].timeout_ms == 600


def test_settings_of_the_hub_that_no_longer_fit_are_set_aside_at_the_start(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    process().play(wish(unit(timeout_ms=700) + unit("new", prefix="new"), 1))
    ups = '[[device]]\ndriver = "ups"\nname = "ups"\nprefix = "ups"\n[shutdown]\nups = "ups"\n'
    one = process(file=(tmp_path / "gateway.toml").read_text() + ups)
    one.play()
    assert [device.name for device in one.settings.device] == ["room", "ups"]
    told = one.quiet.reported[-1]
    assert (told.state, told.running) == (ShadowState.REFUSED, OWN_FILE)
    assert told.faults[0].path == "shutdown.ups"


def test_damaged_book_is_told_and_the_file_counts(
    process: Start, unit: Unit, wish: Wish, tmp_path: Path
) -> None:
    process().play(wish(unit(timeout_ms=700), 1))
    book = tmp_path / "data" / "shadow.json"
    book.write_bytes(book.read_bytes()[:-9])
    one = process()
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.events[0] == "settings_refused"
    assert one.settings.device[0].timeout_ms == 700


def test_clean_stop_during_the_watch_has_it_tried_again(process: Start, unit: Unit, wish: Wish) -> None:
    one = process()
    one.play(wish(unit(timeout_ms=700), 1), stop=lambda: one.now > 1005)
    assert one.state.trial.step == "staged"
    again = process()
    assert again.settings.device[0].timeout_ms == 500
    again.play()
    assert again.settings.device[0].timeout_ms == 700
    assert again.quiet.reported[-1].state is ShadowState.APPLIED


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("healthy", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_kill_at_any_write_leaves_the_old_settings_or_the_new_ones(
    *,
    process: Start,
    unit: Unit,
    wish: Wish,
    killed: type[BaseException],
    place: int,
    healthy: bool,
    late: bool,
) -> None:
    process().play(wish(unit(timeout_ms=600), 1))
    writes = 0

    def replace(path: Path, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes == place + 1 and late:
            files.replace(path, data)
        if writes == place + 1:
            path.with_name(path.name + ".new").write_bytes(data[: len(data) // 2])
            raise killed
        files.replace(path, data)

    one = process(replace=replace)
    one.read_all()
    one.while_watched = one.read_all if healthy else lambda: None
    with pytest.raises(killed):
        one.play(wish(unit(timeout_ms=700), 2))
    again = process()
    started = again.settings.device[0].timeout_ms
    assert started == (700 if healthy and place == 3 and late else 600)
    again.while_watched = again.read_all
    again.play()
    told = again.quiet.reported[-1]
    assert again.state.trial is None
    if (place, late) in {(0, True), (1, False), (1, True), (2, False)}:
        assert (again.settings.device[0].timeout_ms, told.state) == (700, ShadowState.APPLIED)
    else:
        assert again.settings.device[0].timeout_ms == started
        assert told.running == Revision(0, 2 if started == 700 else 1)


def test_check_that_ended_the_gateway_twice_is_not_begun_again(
    process: Start, unit: Unit, wish: Wish, killed: type[BaseException]
) -> None:
    def at_checking(path: Path, data: bytes) -> None:
        files.replace(path, data)
        if b'"attempts":0' not in data:
            raise killed

    one = process(replace=at_checking)
    with pytest.raises(killed):
        one.play(wish(unit(timeout_ms=700), 1))
    with pytest.raises(killed):
        process(replace=at_checking).play()
    last = process()
    last.play()
    assert last.settings.device[0].timeout_ms == 500
    assert last.quiet.reported[-1].state is ShadowState.REFUSED


def test_full_disk_takes_nothing_and_the_revision_may_come_again(
    process: Start, unit: Unit, wish: Wish
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    one = process(replace=full)
    one.play(wish(unit(timeout_ms=700), 1))
    assert one.settings.device[0].timeout_ms == 500
    told = one.quiet.reported[-1]
    assert (told.state, [fault.path for fault in told.faults]) == (ShadowState.REFUSED, ["disk"])
    again = process()
    again.play(wish(unit(timeout_ms=700), 1))
    assert again.settings.device[0].timeout_ms == 700
