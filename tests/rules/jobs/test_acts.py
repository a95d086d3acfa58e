"""What can be done to a job, cell by cell as docs/explanation/jobs.md says; what no sequence reaches."""

import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from rules.access.words import JobState
from rules.jobs import acts
from rules.jobs.check import job_faults, limit_faults
from rules.jobs.model import (
    Cause,
    Entry,
    Facts,
    Job,
    Limit,
    LimitSet,
    Reason,
    Refused,
    What,
    hold_of,
    marks,
)
from rules.jobs.spans import Span, joined, within
from tests.rules.alarm.world import table

pytestmark = pytest.mark.requirement("H-7.3.1a", "H-7.3.1b", "G-6.4e", "H-7.3.3.5c", "H-7.3.3.5e")

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "jobs.md"
LIMITS = LimitSet("JJG 130", 3, (Limit("temperature", Decimal(18), Decimal(22)),))
PLANNED = Job(
    id="j-1",
    method="JJG 130",
    limits_version=3,
    people=("ann", "bob"),
    instruments=("std-1",),
    zone="room-2",
    planned=Span(100, 900),
)
FACTS = Facts(present=("ann", "bob", "eve"), authorised=("ann", "bob"))
BREACH = Cause("temperature", 200)


def done(outcome: acts.Outcome | Refused) -> Job:
    assert not isinstance(outcome, Refused), outcome
    return outcome[0]


RUNNING = done(acts.start(PLANNED, LIMITS, FACTS, by="ann", now=110))
HELD = done(acts.hold(RUNNING, BREACH, now=205))
READY = done(acts.returned(HELD, "temperature", ended_at=290, now=300))
FINISHED = done(acts.finish(RUNNING, by="ann", now=800))
JOBS = {
    JobState.PLANNED: PLANNED,
    JobState.RUNNING: RUNNING,
    JobState.HELD: HELD,
    JobState.FINISHED: FINISHED,
}


def release(job: Job, facts: Facts = FACTS, **more: object) -> acts.Outcome | Refused:
    known = {"by": "ann", "reason": "fan repaired", "permitted": True, "now": 310} | more
    return acts.release(job, LIMITS, facts, **known)  # type: ignore[arg-type]


ACTS: dict[What, Callable[[Job], acts.Outcome | Refused]] = {
    What.AMENDED: lambda job: acts.amend(job, PLANNED, LIMITS, by="ann", now=105),
    What.STARTED: lambda job: acts.start(job, LIMITS, FACTS, by="ann", now=110),
    What.HELD: lambda job: acts.hold(job, Cause("humidity", 220), now=230),
    What.RETURNED: lambda job: acts.returned(job, "temperature", ended_at=290, now=300),
    What.RELEASED: lambda job: release(READY if job is HELD else job),
    What.FINISHED: lambda job: acts.finish(job, by="ann", reason="too warm", now=400),
    What.MARKED: lambda job: acts.mark(job, Cause("late", 150, 160), now=1000),
}


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("row", table("Acts and states", PAGE), ids=lambda row: row["act"])
def test_states_are_those_of_the_page(row: dict[str, str], state: JobState) -> None:
    what = What(row["act"])
    answer = ACTS[what](JOBS[state])
    if isinstance(answer, Refused):
        assert answer.reason == row[state]
    else:
        job, entry = answer
        assert job.state == row[state]
        assert (entry.what, entry.job) == (what, "j-1")


def test_page_names_every_act() -> None:
    assert [row["act"] for row in table("Acts and states", PAGE)] == list(What)


def attempts(what: What) -> list[acts.Outcome | Refused]:
    """Return the answers to attempts, each of which repairs what the one before was refused for."""
    alone, strange = Facts(present=("ann", "eve")), Facts(present=("ann", "bob"), authorised=("ann",))
    blocked = replace(FACTS, blocked=("std-1",), unmet=("room-2",))
    unmet = replace(FACTS, unmet=("room-2",))
    faulty = replace(PLANNED, zone=" ")
    if what is What.AMENDED:
        return [
            acts.amend(RUNNING, faulty, LIMITS, by=" ", now=105),
            acts.amend(RUNNING, faulty, LIMITS, by="ann", now=105),
            acts.amend(PLANNED, faulty, LIMITS, by="ann", now=105),
            acts.amend(PLANNED, PLANNED, LIMITS, by="ann", now=105),
        ]
    if what is What.STARTED:
        tries = [
            (RUNNING, "", alone),
            (RUNNING, "ann", alone),
            (faulty, "ann", alone),
            (PLANNED, "ann", alone),
            (PLANNED, "ann", strange),
            (PLANNED, "ann", blocked),
            (PLANNED, "ann", unmet),
            (PLANNED, "ann", FACTS),
        ]
        return [acts.start(job, LIMITS, facts, by=by, now=110) for job, by, facts in tries]
    if what is What.HELD:
        return [
            acts.hold(PLANNED, Cause("t", 1, 2), now=9),
            acts.hold(PLANNED, BREACH, now=9),
            ACTS[what](RUNNING),
        ]
    if what is What.RETURNED:
        return [acts.returned(job, name, ended_at=9, now=9) for job, name in (
            (RUNNING, "t"), (HELD, "t"), (HELD, "temperature"))]  # fmt: skip
    if what is What.RELEASED:
        return [
            release(RUNNING, alone, by="", reason="", permitted=False),
            release(RUNNING, alone, reason="", permitted=False),
            release(HELD, alone, reason=" ", permitted=False),
            release(HELD, alone, permitted=False),
            release(HELD, alone),
            release(READY, alone),
            release(READY, strange),
            release(READY, blocked),
            release(READY, unmet),
            release(READY),
        ]
    if what is What.FINISHED:
        ends = [(PLANNED, "", ""), (PLANNED, "ann", ""), (HELD, "ann", ""), (HELD, "ann", "too warm")]
        return [acts.finish(job, by=by, reason=reason, now=400) for job, by, reason in ends]
    return [acts.mark(job, cause, now=1000) for job, cause in (
        (PLANNED, Cause("late", 900)), (PLANNED, Cause("late", 800, 810)),
        (FINISHED, Cause("late", 800, 810)), (FINISHED, Cause("late", 799, 810)))]  # fmt: skip


@pytest.mark.parametrize("what", What)
def test_refusals_are_those_of_the_page_in_its_order(what: What) -> None:
    rows = [row for row in table("Refusals", PAGE) if row["act"] == what]
    states = {word for row in table("Acts and states", PAGE) for word in row.values()}
    expected = [row["refused because"] for row in rows]
    answers = attempts(what)
    assert len(answers) == len(expected) + 1
    for answer, word in zip(answers, expected, strict=False):
        assert isinstance(answer, Refused), word
        assert answer.reason == word or (word == "state" and answer.reason in states), word
    assert not isinstance(answers[-1], Refused)


def test_every_reason_is_on_the_page() -> None:
    words = {row["refused because"] for row in table("Refusals", PAGE)}
    words |= {word for row in table("Acts and states", PAGE) for word in row.values()}
    assert set(Reason) <= words


def test_refusals_name_what_they_fail_at() -> None:
    def about(facts: Facts) -> tuple[str, ...]:
        answer = acts.start(PLANNED, LIMITS, facts, by="ann", now=110)
        assert isinstance(answer, Refused)
        return answer.about

    assert about(Facts(present=("ann",))) == ("bob",)
    assert about(Facts(present=("ann", "bob"), authorised=("bob",))) == ("ann",)
    assert about(replace(FACTS, blocked=("other", "std-1"))) == ("std-1",)
    assert about(replace(FACTS, unmet=("room-2/climate",))) == ("room-2/climate",)
    assert release(HELD) == Refused(Reason.CAUSE_STANDS, ("temperature",))
    assert acts.amend(PLANNED, replace(PLANNED, people=("ann",)), LIMITS, by="ann", now=1) == Refused(
        Reason.FAULTY, ("people",)
    )


@pytest.mark.requirement("H-6.3.3b")
def test_two_of_the_jobs_own_people_must_be_there() -> None:
    answer = acts.start(PLANNED, LIMITS, Facts(("ann", "eve"), ("ann", "eve")), by="ann", now=110)
    assert answer == Refused(Reason.TOO_FEW_PRESENT, ("bob",))


def test_release_names_person_and_reason_and_the_hold_keeps_them() -> None:
    job, entry = release(READY)  # type: ignore[misc]
    assert entry == Entry(What.RELEASED, "j-1", 310, "ann", "fan repaired")
    (hold,) = job.holds
    assert (hold.from_at, hold.held_at, hold.released_at, hold.by, hold.reason) == (
        200, 205, 310, "ann", "fan repaired",
    )  # fmt: skip
    assert hold.causes == (Cause("temperature", 200, 290),)
    assert hold_of(job) is None
    assert marks(job, 500) == (Span(200, 310),)


def test_second_breach_joins_the_hold_and_all_must_end() -> None:
    job = done(acts.hold(HELD, Cause("humidity", 190), now=230))
    job = done(acts.hold(job, Cause("temperature", 195), now=231))
    (hold,) = job.holds
    assert hold.from_at == 190
    assert hold.causes == (Cause("temperature", 195), Cause("humidity", 190))
    job = done(acts.returned(job, "temperature", ended_at=100, now=240))
    assert job.holds[0].causes[0].to_at == 195
    assert release(job) == Refused(Reason.CAUSE_STANDS, ("humidity",))
    job = done(acts.hold(job, Cause("temperature", 250), now=251))
    assert len(job.holds[0].causes) == 3
    for name in ("humidity", "temperature"):
        job = done(acts.returned(job, name, ended_at=280, now=281))
    job = done(release(job))
    job = done(acts.hold(job, Cause("temperature", 400), now=401))
    assert [one.from_at for one in job.holds] == [190, 400]


def test_breach_that_is_told_earlier_changes_no_other_cause() -> None:
    job = done(acts.hold(HELD, Cause("humidity", 220), now=230))
    job = done(acts.hold(job, Cause("humidity", 210), now=231))
    assert job.holds[0].causes == (BREACH, Cause("humidity", 210))
    job = done(acts.hold(job, Cause("humidity", 215), now=232))
    assert job.holds[0].causes == (BREACH, Cause("humidity", 210))
    job = done(acts.returned(job, "humidity", ended_at=240, now=241))
    assert job.holds[0].causes == (BREACH, Cause("humidity", 210, 240))


def test_breach_found_later_marks_and_holds_nothing_also_when_told_again() -> None:
    job = done(acts.mark(FINISHED, Cause("late", 50, 120), now=1000))
    job = done(acts.mark(job, Cause("late", 700, 720), now=1001))
    job = done(acts.mark(job, Cause("late", 700, 740), now=1002))
    assert job.state is JobState.FINISHED
    assert job.found_later == (Cause("late", 50, 120), Cause("late", 700, 740))
    assert marks(job, 2000) == (Span(110, 120), Span(700, 740))
    for start, end in ((50, 110), (700, 690), (700, 700), (800, 900)):
        answer = acts.mark(FINISHED, Cause("late", start, end), now=1000)
        assert answer == Refused(Reason.OUTSIDE, ("late",))
    for start, end in ((50, 111), (700, 701), (799, 900)):
        assert not isinstance(acts.mark(FINISHED, Cause("late", start, end), now=1000), Refused)
    assert not isinstance(acts.mark(RUNNING, Cause("late", 700, 701), now=1), Refused)


def test_held_work_that_is_ended_keeps_its_hold_unreleased() -> None:
    job = done(acts.finish(HELD, by="ann", reason="too warm", now=400))
    assert (job.state, job.finished_at, job.holds[0].released_at) == (JobState.FINISHED, 400, None)
    assert marks(job, 9999) == (Span(200, 400),)
    assert marks(PLANNED, 9999) == ()


def test_amending_replaces_the_plan_and_nothing_else() -> None:
    changed = replace(RUNNING, id="other", zone="room-3", people=("ann", "eve"))
    job = done(acts.amend(PLANNED, changed, LIMITS, by="ann", now=50))
    assert job == replace(PLANNED, zone="room-3", people=("ann", "eve"), acted_at=50)


def test_acts_never_go_back_in_time() -> None:
    job, entry = acts.hold(RUNNING, BREACH, now=1)  # type: ignore[misc]
    assert entry.at == 110
    assert job.holds[0].held_at == 110


def test_job_survives_a_restart_as_it_was() -> None:
    job = done(acts.mark(done(release(READY)), Cause("late", 120, 130), now=320))
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job


def _random_act(rng: random.Random, job: Job, now: int) -> acts.Outcome | Refused:
    by, reason = rng.choice(("", "ann", "ann", "ann")), rng.choice(("", "repaired", "repaired"))
    facts = rng.choice((FACTS, FACTS, Facts(), replace(FACTS, unmet=("x",))))
    name, number = rng.choice(("a", "b")), rng.randint(0, 99)
    if number == 0:
        return acts.finish(job, by=by, reason=reason, now=now)
    if number < 10:
        return acts.start(job, LIMITS, facts, by=by, now=now)
    if number < 25:
        return acts.hold(job, Cause(name, now - rng.randint(0, 50)), now=now)
    if number < 65:
        return acts.returned(job, name, ended_at=now, now=now)
    if number < 98:
        return release(job, facts, by=by, reason=reason, permitted=rng.random() < 0.8, now=now)
    return acts.mark(job, Cause(name, now - 30, now - 10), now=now)


def test_no_sequence_runs_held_work_without_a_person_a_reason_and_every_cause_ended() -> None:
    rng, released = random.Random(5), 0
    for _ in range(120):
        job, now = PLANNED, 100
        for _ in range(120):
            now += rng.randint(-5, 40)
            answer = _random_act(rng, job, now)
            if not isinstance(answer, Refused):
                _is_lawful(job, *answer)
                released += answer[1].what is What.RELEASED
                job = answer[0]
    assert released > 100


def _is_lawful(job: Job, after: Job, entry: Entry) -> None:
    if job.state is JobState.HELD and after.state is JobState.RUNNING:
        assert (entry.what, bool(entry.by), bool(entry.text)) == (What.RELEASED, True, True)
        hold = after.holds[-1]
        assert hold.stands == ()
        stretch = Span(max(hold.from_at, after.started_at or 0), entry.at)
        assert within([stretch], marks(after, entry.at)) == joined([stretch])
    if after.state is not JobState.FINISHED:
        assert (hold_of(after) is not None) == (after.state is JobState.HELD)
    if job.state is JobState.FINISHED:
        assert replace(after, found_later=(), acted_at=0) == replace(job, found_later=(), acted_at=0)
    assert after.holds[: len(job.holds) - 1] == job.holds[:-1]
    assert entry.at >= (job.acted_at or 0)


# --- what is refused when it is saved -----------------------------------------------------------------


@pytest.mark.parametrize(("changed", "expected"), [
    ({"id": ""}, ("id", "", "a name")),
    ({"zone": " "}, ("zone", " ", "a name")),
    ({"limits_version": 2}, ("limits_version", "JJG 130, version 2", "JJG 130, version 3")),
    ({"method": "x"}, ("limits_version", "x, version 3", "JJG 130, version 3")),
    ({"planned": Span(5, 5)}, ("planned", "5 to 5", "an end after the start")),
    ({"people": ("ann",)}, ("people", "ann", "at least 2")),
    ({"people": ("ann", "ann")}, ("people", "ann, ann", "each once, none empty")),
    ({"people": ("ann", "bob", " ")}, ("people", "ann, bob,  ", "each once, none empty")),
    ({"instruments": ("",)}, ("instruments", "", "each once, none empty")),
])  # fmt: skip
def test_plan_is_refused_with_field_value_and_expectation(
    changed: dict[str, object], expected: tuple[str, str, str]
) -> None:
    faults = job_faults(replace(PLANNED, **changed), LIMITS)
    assert expected in [(fault.path, fault.value, fault.expectation) for fault in faults]


@pytest.mark.parametrize(("limits", "expected"), [
    (LimitSet("", 1, ()), ("method", "", "a name")),
    (LimitSet("m", 0, ()), ("version", "0", "1 or more")),
    (LimitSet("m", 1, (), people_min=0), ("people_min", "0", "1 or more")),
    (LimitSet("m", 1, (Limit("t", Decimal(1)), Limit("t", Decimal(1)))),
     ("limits.1.quantity", "t", "each quantity once")),
    (LimitSet("m", 1, (Limit(" ", Decimal(1)),)), ("limits.0.quantity", " ", "a name")),
    (LimitSet("m", 1, (Limit("t"),)), ("limits.0", "None to None", "a number for low, high or both")),
    (LimitSet("m", 1, (Limit("t", high=Decimal("NaN")),)),
     ("limits.0", "None to NaN", "a number for low, high or both")),
    (LimitSet("m", 1, (Limit("t", Decimal(1), Decimal("NaN")),)),
     ("limits.0", "1 to NaN", "a number for low, high or both")),
    (LimitSet("m", 1, (Limit("t", Decimal(2), Decimal(2)),)), ("limits.0", "2 to 2", "low below high")),
])  # fmt: skip
def test_limit_set_is_refused_with_field_value_and_expectation(
    limits: LimitSet, expected: tuple[str, str, str]
) -> None:
    faults = [(fault.path, fault.value, fault.expectation) for fault in limit_faults(limits)]
    assert expected in faults


def test_good_plan_and_limit_set_have_no_faults() -> None:
    assert job_faults(PLANNED, LIMITS) == ()
    assert limit_faults(LIMITS) == ()
    assert limit_faults(replace(LIMITS, version=1, people_min=1)) == ()
    assert limit_faults(LimitSet("m", 1, (Limit("t", low=Decimal(1)), Limit("h", high=Decimal(1))))) == ()
