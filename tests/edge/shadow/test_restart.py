"""What a gateway takes over by a start alone is tried by one start, watched over it, kept or taken back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import files
from wire.shadow import OWN_FILE, Desired, Revision, ShadowState

Start = Callable[..., Any]
Unit = Callable[..., str]
Wish = Callable[..., Desired]
Ask = Callable[[str], Any]
pytestmark = pytest.mark.requirement("G-4.3a")
CLOCK = "[clock]\ndrift_ppm = 5.0\n"
UPS = '[[device]]\ndriver = "ups"\nname = "ups"\n'


def drift(one: Any) -> float:
    found = one.settings.clock.drift_ppm
    assert isinstance(found, float)
    return found


@pytest.fixture
def asked(process: Start, wish: Wish) -> Ask:
    """Have a gateway take a document that needs a start, up to there."""

    def asked(document: str) -> Any:
        one = process(restarts=True)
        one.read_all()
        one.while_watched = one.read_all
        one.play(wish(document, 1))
        return one

    return asked


def test_healthy_start_keeps_what_was_tried(process: Start, asked: Ask, unit: Unit) -> None:
    one = asked(CLOCK + unit())
    assert one.restarting
    assert drift(one) == 20
    two = process(restarts=True)
    assert drift(two) == 5
    two.while_watched = two.read_all
    two.play()
    assert [told.state for told in two.quiet.reported] == [ShadowState.TRYING, ShadowState.APPLIED]
    assert not two.restarting
    three = process(restarts=True)
    three.play()
    assert (drift(three), three.quiet.reported[-1].running) == (5, Revision(0, 1))


def test_point_that_is_not_read_after_the_start_takes_it_back_by_another_start(
    process: Start, asked: Ask, unit: Unit
) -> None:
    asked(CLOCK + unit())
    two = process(restarts=True)
    two.play()
    assert two.restarting
    assert "settings_rolled_back" in two.events
    three = process(restarts=True)
    three.play()
    told = three.quiet.reported[-1]
    assert (drift(three), told.state, told.running) == (20, ShadowState.ROLLED_BACK, OWN_FILE)
    assert told.faults[0].path == "device room"
    assert not three.restarting


def test_start_that_ends_unexpectedly_is_not_tried_again(process: Start, asked: Ask, unit: Unit) -> None:
    asked(CLOCK + unit())
    assert drift(process(restarts=True)) == 5  # It is gone before anything was kept.
    three = process(restarts=True)
    three.play()
    assert (drift(three), three.quiet.reported[-1].state) == (20, ShadowState.ROLLED_BACK)


def test_clean_stop_while_it_is_watched_has_it_tried_again(process: Start, asked: Ask, unit: Unit) -> None:
    asked(CLOCK + unit())
    two = process(restarts=True)
    two.while_watched = two.read_all
    two.play(stop=lambda: two.now > 1003)
    assert two.state.trial.step == "staged"
    three = process(restarts=True)
    three.while_watched = three.read_all
    three.play()
    assert (drift(three), three.restarting) == (20, True)
    assert drift(process(restarts=True)) == 5


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("healthy", [True, False])
def test_kill_at_any_write_leaves_a_gateway_that_settles(
    *,
    process: Start,
    unit: Unit,
    killed: type[BaseException],
    wish: Wish,
    place: int,
    late: bool,
    healthy: bool,
) -> None:
    left = place

    def replace(path: Path, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left == -1 and not late:
            raise killed
        files.replace(path, data)
        if left == -1:
            raise killed

    for life in range(8):
        try:
            one = process(replace=replace, restarts=True)
            answers = healthy or drift(one) == 20
            one.while_watched = one.read_all if answers else lambda: None
            one.while_watched()
            one.play(*([wish(CLOCK + unit(), 1)] if life == 0 else []))
        except killed:
            continue
        if not one.restarting:
            break
    assert (one.restarting, one.state.trial) == (False, None)
    running = one.quiet.reported[-1].running
    assert drift(one) == (5 if running == Revision(0, 1) else 20)
    assert healthy or running == OWN_FILE


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[journal]\nbytes_max = 2000000\n", "journal.bytes_max"),
        ("[journal]\nage_max_d = 1.0\n", "journal.age_max_d"),
        (f'[shutdown]\nups = "ups"\ncommand = ["curl", "evil"]\n{UPS}', "shutdown.command"),
        ('[shutdown]\nups = "nothing"\n', "shutdown.ups"),
    ],
)
def test_what_costs_evidence_or_runs_programs_is_refused(
    process: Start, asked: Ask, unit: Unit, text: str, path: str
) -> None:
    one = asked(text + unit())
    assert not one.restarting
    told = one.quiet.reported[-1]
    assert (told.state, [fault.path for fault in told.faults]) == (ShadowState.REFUSED, [path])


def test_command_of_the_gateway_s_own_file_may_stand_in_a_document(
    process: Start, asked: Ask, unit: Unit, tmp_path: Path
) -> None:
    process()
    own = (tmp_path / "gateway.toml").read_text()
    section = '[shutdown]\nups = "ups"\ncommand = ["sudo", "poweroff"]\n'
    process(file=f"{own}{UPS}{section}")
    assert asked(section + "delay_s = 3\n" + unit() + UPS).restarting
    assert process(restarts=True).settings.shutdown.delay_s == 3


def test_default_command_does_not_replace_that_of_the_file(
    process: Start, asked: Ask, unit: Unit, tmp_path: Path
) -> None:
    process()
    own = (tmp_path / "gateway.toml").read_text()
    process(file=f'{own}{UPS}[shutdown]\nups = "ups"\ncommand = ["sudo", "poweroff"]\n')
    one = asked('[shutdown]\nups = "ups"\n' + unit() + UPS)
    assert [fault.path for fault in one.quiet.reported[-1].faults] == ["shutdown.command"]


def test_longer_journal_and_media_are_taken_over(process: Start, asked: Ask, unit: Unit) -> None:
    asked('[journal]\nbytes_max = 2000000000\n[media]\nurl = "https://hub:8443"\n' + unit())
    two = process(restarts=True)
    assert two.settings.journal.bytes_max == 2_000_000_000
    assert two.settings.media.url == "https://hub:8443"


def test_line_that_does_not_come_back_takes_it_back(process: Start, asked: Ask, unit: Unit) -> None:
    asked(CLOCK + unit())
    two = process(restarts=True)
    two.quiet.connected = False
    two.while_watched = two.read_all
    two.play()
    assert two.restarting
    assert [fault.path for fault in two.state.faults] == ["uplink"]


def test_file_that_counts_alone_meanwhile_is_what_starts(
    process: Start, asked: Ask, unit: Unit, tmp_path: Path
) -> None:
    asked(CLOCK + unit())
    text = (tmp_path / "gateway.toml").read_text()
    two = process(file=text.replace("[uplink]", 'settings = "file"\n[uplink]'), restarts=True)
    two.play()
    assert (drift(two), two.restarting, two.state.trial) == (20, False, None)


def test_start_that_cannot_be_written_down_tries_nothing(
    process: Start, asked: Ask, unit: Unit, tmp_path: Path
) -> None:
    asked(CLOCK + unit())
    (tmp_path / "data" / "shadow.json.new").mkdir()
    two = process(restarts=True)
    two.play()
    assert (drift(two), two.quiet.reported[-1].state) == (20, ShadowState.REFUSED)
    assert two.quiet.reported[-1].faults[0].path == "disk"
    (tmp_path / "data" / "shadow.json.new").rmdir()
    assert drift(process(restarts=True)) == 5
