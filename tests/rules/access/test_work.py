"""Equipment works only while person, authorisation and job hold together (the second table of the page)."""

from collections.abc import Callable

import pytest
from msgspec import structs

from rules.access import EMPTY, Moment, Situation, WorkReason, enablement
from rules.access.document import Span
from rules.access.request import EntryLock, Job
from rules.access.words import JobState, Passback, PersonState, Scope, Subject
from tests.rules.access.world import DAY_MS, NOW, STEADY, World, inside, job

LOCK = EntryLock(Scope.EQUIPMENT, "balance-1", "il-1", "too warm")


class Bench:
    """Anna and Ben at the balance, with a running job for two."""

    def __init__(self) -> None:
        self.world = World()
        self.world.live(inside={"anna": inside("lab"), "ben": inside("dark-room")})
        self.jobs: tuple[Job, ...] = (job(min_people=2),)
        self.locks: tuple[EntryLock, ...] = ()
        self.trusted, self.steady_ms, self.equipment = True, STEADY, "balance-1"

    def ask(self) -> tuple[WorkReason, str, str, tuple[str, ...]]:
        situation = Situation(jobs=self.jobs, locks=self.locks)
        moment = Moment(at_ms=NOW, steady_ms=self.steady_ms, time_trusted=self.trusted, situation=situation)
        found = enablement(self.equipment, self.world.snapshot(), self.world.state, moment=moment)
        assert found.enabled == (found.reason is WorkReason.ENABLED)
        assert bool(found.people) == found.enabled
        return found.reason, found.rule, found.detail, found.people

    def set_job(self, **fields: object) -> None:
        self.jobs = tuple(structs.replace(one, **fields) for one in self.jobs)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _unknown(bench: Bench) -> None:
    bench.equipment = "balance-9"


def _untrusted(bench: Bench) -> None:
    bench.trusted = False


def _locked(bench: Bench) -> None:
    bench.locks = (LOCK,)


def _no_job(bench: Bench) -> None:
    bench.jobs = (job(equipment=()), job(id="j-2", zone="lobby"))


CASES: dict[WorkReason, Callable[[Bench], object]] = {
    WorkReason.EQUIPMENT_UNKNOWN: _unknown,
    WorkReason.TIME_UNKNOWN: _untrusted,
    WorkReason.RIGHTS_OLD: lambda bench: bench.world.scalars.update(issued_at_ms=NOW - 8 * DAY_MS),
    WorkReason.INTERLOCK: _locked,
    WorkReason.NO_JOB: _no_job,
    WorkReason.JOB_HELD: lambda bench: bench.set_job(state=JobState.HELD),
    WorkReason.JOB_NOT_RUNNING: lambda bench: bench.set_job(state=JobState.PLANNED),
    WorkReason.NOBODY_PRESENT: lambda bench: bench.world.live(inside={"carl": inside("lab")}),
    WorkReason.NOT_AUTHORISED: lambda bench: bench.set_job(activities=("weights", "lengths")),
    WorkReason.TOO_FEW: lambda bench: bench.world.live(inside={"anna": inside("lab")}),
    WorkReason.ENABLED: lambda _: None,
}


def test_every_reason_has_a_case() -> None:
    assert set(CASES) | {WorkReason.RIGHTS_MISSING} == set(WorkReason)


@pytest.mark.requirement("G-6.4e", "H-7.3.3.3")
@pytest.mark.parametrize("reason", CASES)
def test_reason_is_reached(bench: Bench, reason: WorkReason) -> None:
    CASES[reason](bench)
    assert bench.ask()[0] is reason


def test_without_any_rights_nothing_works() -> None:
    found = enablement("balance-1", None, EMPTY, moment=Moment(at_ms=NOW, steady_ms=STEADY))
    assert (found.enabled, found.reason) == (False, WorkReason.RIGHTS_MISSING)


ORDER = [one for one in WorkReason if one in CASES and one is not WorkReason.ENABLED]


@pytest.mark.parametrize(
    ("earlier", "later"), [(one, other) for place, one in enumerate(ORDER) for other in ORDER[place + 1 :]]
)
def test_of_two_reasons_the_earlier_one_counts(bench: Bench, earlier: WorkReason, later: WorkReason) -> None:
    CASES[later](bench)
    CASES[earlier](bench)
    assert bench.ask()[0] is earlier


@pytest.mark.requirement("H-6.3.3b")
def test_those_who_make_it_work_are_named(bench: Bench) -> None:
    assert bench.ask() == (WorkReason.ENABLED, "job:j-1", "", ("anna", "ben"))
    bench.world.live(inside={"anna": inside("lab")})
    assert bench.ask() == (WorkReason.TOO_FEW, "job:j-1", "1 of 2", ())


@pytest.mark.parametrize("fields", [{"state": PersonState.REVOKED}, {"valid": Span(None, NOW)}])
def test_permission_ends_with_the_person(bench: Bench, fields: dict[str, object]) -> None:
    bench.world.change("people", "ben", **fields)
    assert bench.ask()[0] is WorkReason.TOO_FEW


@pytest.mark.requirement("H-7.3.3.3")
@pytest.mark.parametrize("fields", [{"valid": Span(None, NOW)}, {"subject": "comparator"}])
def test_permission_ends_with_the_authorisation_for_the_equipment(
    bench: Bench, fields: dict[str, object]
) -> None:
    bench.world.change("authorisations", "b-ben", **fields)
    assert bench.ask()[0] is WorkReason.TOO_FEW
    bench.world.change("authorisations", "b-anna", **fields)
    assert bench.ask()[::2] == (WorkReason.NOT_AUTHORISED, "anna, ben")


def test_authorisation_for_an_activity_is_none_for_equipment(bench: Bench) -> None:
    bench.world.change("authorisations", "b-ben", kind=Subject.ACTIVITY)
    assert bench.ask()[0] is WorkReason.TOO_FEW


@pytest.mark.parametrize(
    ("lock", "reason"),
    [
        (EntryLock(Scope.ZONE, "lab", "il-2", "x"), WorkReason.INTERLOCK),
        (EntryLock(Scope.ZONE, "lobby", "il-2", "x"), WorkReason.ENABLED),
        (EntryLock(Scope.EQUIPMENT, "balance-2", "il-2", "x"), WorkReason.ENABLED),
        (EntryLock(Scope.PORTAL, "balance-1", "il-2", "x"), WorkReason.ENABLED),
    ],
)
def test_interlock_of_the_equipment_or_its_zone_counts(
    bench: Bench, lock: EntryLock, reason: WorkReason
) -> None:
    bench.locks = (lock,)
    assert bench.ask()[0] is reason


def test_first_interlock_by_name_is_told(bench: Bench) -> None:
    bench.locks = (EntryLock(Scope.ZONE, "lab", "il-2", "moved"), LOCK)
    assert bench.ask()[1:3] == ("interlock:il-1", "too warm")


def test_one_of_several_running_jobs_is_enough(bench: Bench) -> None:
    bench.jobs = (job(min_people=3), job(id="j-2", state=JobState.HELD), job(id="j-3"))
    assert bench.ask()[1] == "job:j-3"
    bench.jobs = (job(state=JobState.FINISHED), job(id="j-2", state=JobState.HELD))
    assert bench.ask()[:2] == (WorkReason.JOB_HELD, "job:j-2")


def test_who_counts_as_gone_does_not_count_as_present(bench: Bench) -> None:
    bench.world.change("zones", "dark-room", passback=Passback.TIMED, forget_s=3600)
    assert bench.ask()[0] is WorkReason.TOO_FEW
    bench.steady_ms -= 1
    assert bench.ask()[0] is WorkReason.ENABLED
