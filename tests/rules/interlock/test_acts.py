"""What people ask: every refusal in the signed order, bypass, check to unlock, ask for a trip."""

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from rules.interlock.acts import refusal
from rules.interlock.commands import command_refusal
from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    BeginBypass,
    Enable,
    EndBypass,
    Happening,
    PassCheck,
    ReadBack,
    Reset,
    Trip,
)
from rules.interlock.model import CheckDue, Effect, EffectKind, InState, Interlock, Rate
from rules.interlock.reasons import SENTENCES, Reason
from rules.interlock.state import PERMITS, ChangeKind, Phase, Why
from rules.interlock.status import ballots, demands, unmet
from tests.rules.interlock.tables import Row, table
from tests.rules.interlock.test_fitness import STEADY
from tests.rules.interlock.world import ANNE, BORIS, HOLD, INHIBIT, NOBODY, UTC, Run, cause, healthy, rule

DOOR = cause(InState(point="door", normal=(0,)), "door")


def reasons(act: str) -> list[str]:
    return [row["reason"] for row in table("act", "refused when", "reason") if row["act"] == act]


def refused(run: Run, asked: Asked) -> list[str]:
    run.ask(asked)
    if run.refused is None:
        return []
    assert (run.changes[-1].by, run.changes[-1].text) == (asked.by.id, asked.__struct_config__.tag)
    return [run.refused]


def tripped() -> Run:
    run = healthy(rule(cause(on=0, off=2)))
    run.see(11, t=3000)
    return run


@pytest.mark.requirement("H-7.3.3.3")
def test_acknowledging_is_refused_in_the_signed_order() -> None:
    run = healthy()
    number = run.breach
    seen = refused(run, Acknowledge(by=NOBODY, breach=7))
    seen += refused(run, Acknowledge(by=ANNE, breach=7))
    run.see(11, t=3000)
    seen += refused(run, Acknowledge(by=ANNE, breach=number))
    assert refused(run, Acknowledge(by=ANNE, breach=number + 1, comment="seen")) == []
    seen += refused(run, Acknowledge(by=ANNE, breach=number + 1))
    assert seen == reasons("acknowledge")
    assert run.state.kept.acknowledged is not None
    assert run.state.kept.acknowledged.comment == "seen"


@pytest.mark.requirement("H-7.3.3.3", "H-7.3.1b")
def test_resetting_is_refused_in_the_signed_order() -> None:
    """Each condition is mended in the order of the table; what is still missing is told besides."""
    slow = cause(Rate(point="h", change_max=STEADY.spread_max, within_s=5), "slow", off=8)
    run = Run(rule(cause(off=2), slow, DOOR, fit=[STEADY]))
    seen = refused(run, Reset(by=NOBODY, breach=run.breach))
    run.state = healthy().state
    run.plan = healthy().plan
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    run = Run(rule(cause(off=2), slow, DOOR, fit=[STEADY]))
    seen += refused(run, Reset(by=ANNE, breach=run.breach - 1))
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    run.see(1, t=2200, h=500, door=0)
    run.see(2, h=500)
    run.see(3, t=2200)
    found = unmet(run.state, run.plan)
    assert [one.reason for one in found] == ["window", "steadying", "not_acknowledged"]
    assert [one.remaining_s for one in found] == [3.0, 18.0, None]
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    seen += _from_stale_on(run)
    assert seen == reasons("reset")


def _from_stale_on(run: Run) -> list[str]:
    run.see(8, h=500)
    seen = refused(run, Reset(by=ANNE, breach=run.breach))
    for second in range(9, 18):
        run.see(second, t=3000, h=500, door=0)
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    run.see(18, t=2200, h=500)
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    for second in range(19, 22):
        run.see(second, t=2200, h=500)
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    for second in range(22, 40):
        run.see(second, t=2200, h=500)
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    for second in range(40, 60):
        run.see(second, t=2200, h=500)
    seen += refused(run, Reset(by=ANNE, breach=run.breach))
    run.release()
    return seen


@pytest.mark.requirement("H-7.3.3.3")
def test_enabling_is_refused_in_the_signed_order() -> None:
    """With two votes needed, one cause alone does not trip what was reset; it only cannot be enabled."""
    run = Run(rule(cause(), DOOR, needed=2))
    run.see(1, t=2200, door=0)
    number = run.breach
    seen = refused(run, Enable(by=NOBODY, breach=number))
    seen += refused(run, Enable(by=ANNE, breach=number))
    for asked in (Acknowledge(by=ANNE, breach=number), Reset(by=ANNE, breach=number, reason="aired")):
        assert refused(run, asked) == []
    seen += refused(run, Enable(by=ANNE, breach=number - 1))
    run.see(2, door=1)
    assert run.phase is Phase.RESET
    seen += refused(run, Enable(by=ANNE, breach=number))
    assert seen == reasons("enable")
    run.see(3, door=0)
    assert refused(run, Enable(by=ANNE, breach=number)) == []
    assert run.phase is Phase.HEALTHY


@dataclass
class Bypassing:
    """An act with every fault, and how each is mended, in the signed order."""

    fields: dict[str, Any] = field(
        default_factory=lambda: {
            "by": NOBODY,
            "cause": "x",
            "second": None,
            "reason": " ",
            "seconds": math.nan,
        }
    )

    def mended(self, **fields: Any) -> BeginBypass:
        self.fields |= fields
        return BeginBypass(**self.fields)


def test_bypass_is_refused_in_the_signed_order() -> None:
    run = Run(rule(cause(), cause(name="fixed", bypassable=False), DOOR))
    asked = Bypassing()
    seen = refused(run, asked.mended())
    seen += refused(run, asked.mended(by=ANNE))
    seen += refused(run, asked.mended(cause="fixed"))
    seen += refused(run, asked.mended(cause="warm"))
    seen += refused(run, asked.mended(reason="new sensor"))
    assert refused(run, asked.mended(second=NOBODY)) == ["no_second_person"]
    seen += refused(run, asked.mended(second=ANNE))
    seen += refused(run, asked.mended(second=BORIS))
    assert refused(run, asked.mended(seconds=8 * 3600 + 0.01)) == ["bad_duration"]
    assert refused(run, asked.mended(seconds=0)) == ["bad_duration"]
    assert refused(run, asked.mended(seconds=8 * 3600)) == []
    seen += refused(run, asked.mended(cause="door"))
    assert seen == reasons("begin bypass")
    [bypass] = run.state.kept.bypasses
    assert (bypass.by, bypass.second, bypass.until) == ("anne", "boris", 8 * 360_000)
    assert bypass.until_utc == UTC + 8 * 360_000


def test_read_back_of_an_output_cannot_be_bypassed() -> None:
    run = Run(rule(effects=[INHIBIT]))
    asked = Bypassing().mended(by=ANNE, cause="@output/source", reason="x", second=BORIS, seconds=9)
    assert refused(run, asked) == ["not_bypassable"]


def test_zone_and_portal_of_an_interlock_are_no_devices_that_it_holds_back() -> None:
    run = Run(rule(effects=[HOLD]))
    assert command_refusal(run.state, run.plan, device=HOLD.target, command="on") is None


def test_ending_a_bypass_is_refused_in_the_signed_order() -> None:
    run = Run()
    seen = refused(run, EndBypass(by=NOBODY, cause="warm"))
    seen += refused(run, EndBypass(by=ANNE, cause="warm"))
    assert seen == reasons("end bypass")


def bypassed(run: Run, name: str = "warm", seconds: float = 100.0) -> None:
    run.ask(BeginBypass(by=ANNE, cause=name, second=BORIS, reason="repair", seconds=seconds))
    assert run.refused is None


@pytest.mark.requirement("H-7.3.1b")
def test_bypass_ends_at_its_tick_and_the_cause_votes_at_that_instant() -> None:
    run = healthy(rule(cause(), DOOR), t=2200, door=0)
    bypassed(run)
    for second in range(11, 120):
        run.see(second, t=3000, door=0)
        assert (run.phase is Phase.HEALTHY) is (second < 110)
    ended = next(change for change in run.changes if change.kind is ChangeKind.BYPASS_ENDED)
    assert (ended.at, ended.reason, ended.causes) == (run.at(110), Reason.EXPIRED, ("warm",))
    assert run.state.kept.tripped_at == run.at(110)


def test_bypass_that_a_person_ends_is_over_at_once() -> None:
    run = healthy()
    bypassed(run)
    run.see(11, t=3000)
    assert (run.phase, ballots(run.state, run.plan)[0].bypassed) == (Phase.HEALTHY, ("warm",))
    run.changes.clear()
    run.ask(EndBypass(by=BORIS, cause="warm"))
    assert run.kinds == [ChangeKind.BYPASS_ENDED, ChangeKind.TRIPPED]


def test_bypass_lets_a_tripped_interlock_be_reset_without_its_cause() -> None:
    run = tripped()
    bypassed(run)
    assert run.phase is Phase.READY_TO_RESET
    run.release()


@pytest.mark.parametrize("row", table("causes", "needed", "voting", "bypassed", "trips"))
def test_group_trips_as_signed(row: Row) -> None:
    n, needed, voting, aside = (int(row[name]) for name in ("causes", "needed", "voting", "bypassed"))
    causes = [cause(InState(point="door", normal=(0,)), f"c{place}") for place in range(n - voting)]
    causes += [cause(InState(point="ups", normal=(0,)), f"v{place}") for place in range(voting)]
    bypass = causes[0].name if aside else ""
    run = healthy(rule(*causes, needed=needed), door=0, ups=0)
    if bypass:
        bypassed(run, bypass)
    run.see(11, ups=1)
    assert (run.phase is Phase.TRIPPED) is (row["trips"] == "yes")
    assert ballots(run.state, run.plan)[0].reached is (row["trips"] == "yes")


def test_anybody_may_trip_and_nothing_is_said_against_it() -> None:
    run = healthy()
    assert refusal(run.state, run.plan, Trip(by=NOBODY)) is None
    run.ask(Trip(by=NOBODY, reason="smoke"))
    assert [vote.cause for vote in run.state.kept.first_out] == [Why.ASKED]
    assert run.phase is Phase.READY_TO_RESET
    assert (run.changes[0].by, run.changes[0].text) == ("nobody", "smoke")
    run.ask(Acknowledge(by=ANNE, breach=run.breach))
    run.changes.clear()
    run.ask(Trip(by=BORIS, reason="still"))
    assert run.kinds == [ChangeKind.BREACHED]
    assert run.state.kept.acknowledged is None


@pytest.mark.requirement("H-7.3.1b")
def test_another_breach_takes_the_acknowledgement_and_what_came_late_means_nothing() -> None:
    run = healthy(rule(cause(), DOOR), t=2200, door=0)
    run.see(11, t=3000)
    first = run.breach
    run.ask(Acknowledge(by=ANNE, breach=first))
    run.see(12, t=2200, door=1)
    run.see(13, t=2200, door=0)
    assert run.phase is Phase.READY_TO_RESET
    assert refused(run, Reset(by=ANNE, breach=first)) == [Reason.OTHER_BREACH]
    assert refused(run, Reset(by=ANNE, breach=first + 1)) == [Reason.NOT_ACKNOWLEDGED]
    assert [vote.cause for vote in run.state.kept.first_out] == ["warm"]


def test_everything_that_voted_at_one_instant_stands_first_out() -> None:
    run = healthy(rule(cause(), DOOR, cause(name="again", on=1)), t=2200, door=0)
    run.see(11, t=3000, door=1)
    assert [vote.cause for vote in run.state.kept.first_out] == ["door", "warm"]
    run.see(12)
    assert [vote.cause for vote in run.state.kept.first_out] == ["door", "warm"]


def test_two_steps_at_one_instant_name_both_in_either_order() -> None:
    found = []
    for order in (("t", "door"), ("door", "t")):
        run = healthy(rule(cause(), DOOR), t=2200, door=0)
        for point in order:
            run.see(11, **{point: 3000})
        found.append((run.state.kept.first_out, run.breach, run.phase))
    assert found[0] == found[1]


def test_effects_are_released_in_healthy_alone() -> None:
    run = healthy(rule(effects=[HOLD, INHIBIT]))
    assert [(one.effect.kind, one.safe) for one in demands(run.state, run.plan)] == [
        ("hold_work", False),
        ("inhibit_output", False),
    ]
    run.see(11, ReadBack("source", agrees=True), t=3000)
    assert all(one.safe for one in demands(run.state, run.plan))


# --- check to unlock ----------------------------------------------------------------------------------

CHECK = CheckDue(device="meter-7", after=("left_control", "overloaded"), commands=("zero", "read_reference"))


def bench() -> Interlock:
    source = Effect(kind=EffectKind.INHIBIT_OUTPUT, target="source", read_back=False)
    return rule(cause(), cause(CHECK, "check"), effects=[source])


@pytest.mark.requirement("H-7.3.3.5e", "S-5.2.2.2a")
def test_device_that_left_control_is_checked_before_use_and_restarts_do_not_forget_it() -> None:
    run = Run(bench())
    run.see(1, t=2200)
    assert refused(run, PassCheck(by=NOBODY, cause="check", record="r1")) == reasons("pass check")[:1]
    assert refused(run, PassCheck(by=ANNE, cause="check", record="r1")) == []
    assert refused(run, PassCheck(by=ANNE, cause="check", record="r1")) == reasons("pass check")[1:]
    run.release()
    run.see(2, Happening("left_control", "meter-8"), Happening("returned", "meter-7"), t=2200)
    assert run.phase is Phase.HEALTHY
    run.changes.clear()
    run.see(3, Happening("left_control", "meter-7"), t=2200)
    assert run.kinds == [ChangeKind.CHECK_DUE, ChangeKind.VOTED, ChangeKind.TRIPPED]
    run.see(3.5, Happening("overloaded", "meter-7"))
    run.restart(4)
    assert run.state.kept.checks == ("check",)
    run.see(5, t=2200)
    assert [one.cause for one in unmet(run.state, run.plan)] == ["check", ""]


@pytest.mark.requirement("H-7.3.3.5e", "H-7.3.3.5c", "S-5.2.2.2a")
@pytest.mark.parametrize("row", table("state", "check due", "everything else settled", "command", "answer"))
def test_blocked_device_accepts_what_is_signed(row: Row) -> None:
    run = Run(bench())
    run.see(1, t=2200 if row["everything else settled"] == "yes" else 3000)
    if row["check due"] == "no":
        run.ask(PassCheck(by=ANNE, cause="check", record="r1"))
    if row["state"] == "reset":
        run.ask(Acknowledge(by=ANNE, breach=run.breach))
        run.ask(Reset(by=ANNE, breach=run.breach))
    if row["state"] == "healthy":
        run.release()
    assert run.phase == row["state"]
    words = {"any": ("zero", "output_on"), "of the check": ("zero",), "another": ("output_on",)}
    for word in words[row["command"]]:
        answer = command_refusal(run.state, run.plan, device="meter-7", command=word)
        assert (answer or "accepted") == row["answer"]


def test_interlock_has_nothing_against_commands_of_other_devices() -> None:
    run = Run(bench())
    assert command_refusal(run.state, run.plan, device="pump", command="on") is None
    assert command_refusal(run.state, run.plan, device="source", command="on") is Reason.TRIPPED


# --- words --------------------------------------------------------------------------------------------


def test_every_reason_has_one_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_what_permits_is_told_from_what_makes_safe() -> None:
    run = healthy()
    bypassed(run)
    assert [change.permits for change in run.changes] == [True]
    assert {ChangeKind.TRIPPED, ChangeKind.BYPASS_ENDED, ChangeKind.REFUSED} & PERMITS == set()
