"""A job from its plan to its record: what holds it, what marks its readings, who may let it go on."""

from datetime import timedelta

import pytest

from cloud import job_acts
from cloud.identity.acts import ActError
from cloud.identity.viewer import Origin, Viewer
from cloud.job_acts import JobRefusedError, NewLimits
from cloud.job_facts import record_of
from cloud.store import jobs
from cloud.store.jobs import now_tick
from rules.access.words import JobState
from rules.jobs.model import hold_of
from rules.jobs.record import Verdict
from rules.permissions import Grant, Rights, Role
from tests.cloud.jobs.conftest import MINUTE, START, Work

pytestmark = pytest.mark.requirement("H-7.3.1a", "H-7.3.1b", "H-6.3.3b")


def refused(work, do):
    with pytest.raises(JobRefusedError) as caught:
        work.act(do)
    return str(caught.value)


def record(work, job_id):
    async def made(connection):
        kept = await jobs.get_job(connection, job_id)
        limits = await jobs.limits_of(connection, kept)
        return await record_of(connection, kept, limits, now=work.now)

    return work.run(made)


def pass_time(work, minutes=1, *, degrees=20.0, phase="healthy"):
    for _ in range(minutes):
        work.now += MINUTE
        work.measure(degrees)
    work.status(phase)
    work.tell("gateway_backlog")


def test_breach_at_a_gateway_holds_the_job_until_a_person_releases_it_with_a_reason(work: Work) -> None:
    job_id = work.start("J-1")
    pass_time(work, 5)
    work.tell("interlock_tripped", at=work.now - timedelta(seconds=2), breach=1)
    work.status("tripped")
    work.now += timedelta(seconds=1)
    assert work.follow() == 1
    held = work.job(job_id).job
    assert held.state is JobState.HELD
    (cause,) = hold_of(held).causes
    assert cause.name == "interlock/gateway-1/climate"
    assert cause.from_at == now_tick(work.now - timedelta(seconds=3))

    stands = refused(work, lambda act: job_acts.release(act, job_id, reason="it is cool again"))
    assert stands == "cause_stands: interlock/gateway-1/climate"
    pass_time(work)
    work.tell("interlock_enabled", breach=1)
    work.follow()
    assert work.job(job_id).job.state is JobState.HELD
    assert refused(work, lambda act: job_acts.release(act, job_id, reason=" ")) == "no_reason"
    work.act(lambda act: job_acts.release(act, job_id, reason="it is cool again"))
    job = work.job(job_id).job
    assert job.state is JobState.RUNNING
    assert (job.holds[0].by, job.holds[0].reason) == ("root", "it is cool again")
    lines = work.run(lambda c: jobs.read_log(c, job_id))
    assert [one.what for one in lines] == ["started", "held", "returned", "released"]
    audit = work.lab.execute("SELECT action, why FROM audit_log WHERE object = 'job J-1' ORDER BY id")
    assert audit == [("job.plan", ""), ("job.start", ""), ("job.release", "it is cool again")]


def test_record_states_environment_presence_gaps_and_holds(work: Work) -> None:
    for person in ("ann", "bob"):
        work.tell("access_passed", subject="door/in", person=person)
    work.now += MINUTE
    work.measure(19.9)
    work.status()
    job_id = work.start("J-2")
    pass_time(work, 3)
    work.tell("interlock_tripped", breach=1)
    pass_time(work, 2, degrees=25.0, phase="tripped")
    work.follow()
    pass_time(work, 1)
    work.tell("interlock_enabled", breach=1)
    work.follow()
    work.act(lambda act: job_acts.release(act, job_id, reason="cool"))
    pass_time(work, 2)
    work.act(lambda act: job_acts.finish(act, job_id))
    made = record(work, job_id)
    assert made.final
    assert made.verdict is Verdict.MET
    (air,) = made.environment
    assert (str(air.whole.least), str(air.whole.most)) == ("19.90", "25.00")
    assert str(air.work.most) == "20.00"
    assert made.presence.verdict is Verdict.MET
    assert len(made.holds) == 1
    names = {one.name for one in made.holds[0].causes}
    assert names == {"interlock/gateway-1/climate", "limit/room-2/air/temperature"}


def test_value_out_of_the_method_holds_and_its_return_ends_the_cause(work: Work) -> None:
    job_id = work.start("J-3")
    pass_time(work, 2)
    work.follow()
    pass_time(work, 2, degrees=22.01)
    work.follow()
    held = work.job(job_id).job
    assert hold_of(held).stands == ("limit/room-2/air/temperature",)
    assert hold_of(held).from_at == now_tick(work.now - MINUTE)
    pass_time(work)
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ()
    work.act(lambda act: job_acts.release(act, job_id, reason="back"))
    pass_time(work)
    work.follow()
    assert work.job(job_id).job.state is JobState.RUNNING


def test_breach_that_was_over_when_it_became_known_marks_and_does_not_hold(work: Work) -> None:
    job_id = work.start("J-4")
    began = work.now
    work.now += 10 * MINUTE
    work.measure(20.0)
    work.status()
    work.follow()
    late = (20.0, 23.0, 23.5, 20.0)
    work.measure(*late, at=began + MINUTE)
    work.follow()
    job = work.job(job_id).job
    assert job.state is JobState.RUNNING
    (found,) = job.found_later
    assert (found.from_at, found.to_at) == (now_tick(began + 2 * MINUTE), now_tick(began + 4 * MINUTE))
    work.follow()
    assert work.job(job_id).job == job


def test_work_that_a_gateway_says_is_held_is_held_once(work: Work) -> None:
    """The gateway tells the trip and that work is held; after a restart it tells the latter alone."""
    job_id = work.start("J-15")
    begin = work.now
    for step, kind in enumerate(("tripped", "enabled", "")):
        at = begin + timedelta(seconds=10 * step)
        if kind:
            work.tell(f"interlock_{kind}", at=at, breach=1)
        held = "work_released" if kind == "enabled" else "work_held"
        work.tell(held, at=at + timedelta(milliseconds=20), subject="room-2", interlock="climate")
    work.tell("work_held", subject="room-3", interlock="other")
    work.now += timedelta(seconds=40)
    work.follow()
    (hold,) = work.job(job_id).job.holds
    assert [(one.name, one.to_at is None) for one in hold.causes] == [("interlock/gateway-1/climate", True)]
    assert hold.from_at == now_tick(begin + timedelta(seconds=20, milliseconds=20))
    (found,) = work.job(job_id).job.found_later
    assert found.to_at == now_tick(begin + timedelta(seconds=10))


def test_late_trip_marks_readings_of_a_finished_job(work: Work) -> None:
    job_id = work.start("J-5")
    began = work.now
    pass_time(work, 6)
    work.act(lambda act: job_acts.finish(act, job_id))
    pass_time(work, 2)
    work.follow()
    work.tell("interlock_tripped", at=began + MINUTE)
    work.tell("interlock_enabled", at=began + 2 * MINUTE)
    work.follow()
    (found,) = work.job(job_id).job.found_later
    assert (found.from_at, found.to_at) == (now_tick(began + MINUTE), now_tick(began + 2 * MINUTE))


def test_value_without_end_is_no_return(work: Work) -> None:
    """A sensor that falls silent out of its limits does not come back by that."""
    job_id = work.start("J-6")
    pass_time(work, 2, degrees=25.0)
    work.lab.store(work.point, [(work.now + timedelta(seconds=30), None, 16)])
    work.now += 20 * MINUTE
    work.status()
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ("limit/room-2/air/temperature",)


def test_work_does_not_begin_where_something_is_missing(work: Work) -> None:
    job_id = work.plan("J-7")
    work.status(inside=("ann",))
    assert refused(work, lambda act: job_acts.start(act, job_id)) == "too_few_present: bob"
    work.status("tripped")
    assert (
        refused(work, lambda act: job_acts.start(act, job_id)) == "zone_not_fit: interlock/gateway-1/climate"
    )
    work.status()
    work.now += MINUTE
    work.measure(20.0)
    assert refused(work, lambda act: job_acts.start(act, job_id)) == "too_few_present: ann, bob"
    work.status()
    work.measure(23.0, at=work.now + timedelta(seconds=1))
    fit = refused(work, lambda act: job_acts.start(act, job_id))
    assert fit == "zone_not_fit: limit/room-2/air/temperature"
    work.now += timedelta(hours=1)
    work.status()
    fit = refused(work, lambda act: job_acts.start(act, job_id))
    assert fit == "zone_not_fit: limit/room-2/air/temperature (not known)"
    stranger = work.plan("J-8", people=("ann", "eve"))
    work.measure(20.0)
    work.status(inside=("ann", "eve"))
    assert refused(work, lambda act: job_acts.start(act, stranger)) == "not_authorised: eve"


def test_reading_counts_for_three_periods_and_its_way_and_never_without_a_value(work: Work) -> None:
    """Of a point that is read once a second: 18 s, as over a thin line; a gap told since ends it at once."""
    job_id = work.plan("J-15")
    limit = "zone_not_fit: limit/room-2/air/temperature (not known)"
    work.lab.execute("UPDATE point_versions SET period_ms = 1000 WHERE point_id = %s", work.point)
    work.measure(20.0)
    work.now += timedelta(seconds=18.01)
    work.status()
    assert refused(work, lambda act: job_acts.start(act, job_id)) == limit
    work.now -= timedelta(seconds=0.01)
    work.lab.execute(
        "INSERT INTO gaps (organisation_id, point_id, gateway_id, key, cause, from_at)"
        " VALUES (1, %s, 1, 'silent', 'sensor', %s)",
        *(work.point, work.now - timedelta(seconds=18)),
    )
    assert refused(work, lambda act: job_acts.start(act, job_id)) == limit
    work.lab.execute("UPDATE gaps SET to_at = from_at + interval '1 second' WHERE key = 'silent'")
    work.lab.store(work.point, [(work.now - timedelta(seconds=1), None, 16)])
    assert refused(work, lambda act: job_acts.start(act, job_id)) == limit
    work.lab.execute("DELETE FROM readings WHERE point_id = %s AND raw IS NULL", work.point)
    work.act(lambda act: job_acts.start(act, job_id))
    assert work.job(job_id).job.state is JobState.RUNNING
    work.lab.execute("DELETE FROM gaps WHERE key = 'silent'")
    work.lab.execute("UPDATE point_versions SET period_ms = 60000 WHERE point_id = %s", work.point)


def test_who_is_there_is_said_by_a_person_only_where_no_door_tells_it(work: Work) -> None:
    job_id = work.plan("J-9")
    work.status(inside=())
    start = lambda act: job_acts.start(act, job_id, attested=["ann", "bob"])  # noqa: E731
    assert refused(work, start) == "too_few_present: ann, bob"
    work.lab.execute("UPDATE portals SET reader_out = NULL")
    work.act(start)
    work.lab.execute("UPDATE portals SET reader_out = 'out'")
    kept = work.job(job_id)
    assert kept.attested == ("ann", "bob")
    work.lab.execute("UPDATE portals SET reader_out = NULL")
    pass_time(work, 2)
    assert record(work, job_id).presence.verdict is Verdict.UNDETERMINED
    work.lab.execute("UPDATE portals SET reader_out = 'out'")


def test_who_has_no_right_to_release_does_not(work: Work) -> None:
    job_id = work.start("J-10")
    work.tell("interlock_tripped")
    work.follow()
    work.tell("interlock_enabled", at=work.now + timedelta(seconds=1))
    work.now += timedelta(seconds=2)
    staff = Rights(frozenset({Grant(Role.LABORATORY, 1)}))
    viewer = Viewer(kind="account", login="li", origin=Origin("x"), account_id=7, rights=staff)
    with pytest.raises(JobRefusedError, match="not_permitted"):
        work.act(lambda act: job_acts.release(act, job_id, reason="x"), viewer)
    assert work.job(job_id).job.state is JobState.HELD


def test_what_was_judged_is_kept_over_a_restart_and_a_late_commit_is_not_missed(work: Work) -> None:
    job_id = work.start("J-11")
    before = work.lab.execute("SELECT position FROM job_feed")
    work.measure(25.0, 20.0, at=START + MINUTE)
    work.now += 5 * MINUTE
    work.follow()
    assert work.lab.execute("SELECT position FROM job_feed") > before
    assert len(work.job(job_id).job.found_later) == 1
    work.lab.execute("DELETE FROM job_feed")
    work.follow()
    assert len(work.job(job_id).job.found_later) == 1


def test_faulty_limits_and_plans_name_field_value_and_expectation(work: Work) -> None:
    faulty = NewLimits("JJG 131", [("temperature", "22", "18")], 2, [], "x")
    with pytest.raises(ActError, match=r"limits.0 '22 to 18': expected low below high"):
        work.act(lambda act: job_acts.add_limits(act, 1, faulty))
    with pytest.raises(ActError, match=r"people 'nobody': expected the number of a person"):
        work.plan("J-12", people=("ann", "nobody"))
    with pytest.raises(ActError, match=r"number 'J 13': expected"):
        work.plan("J 13")
    work.plan("J-14")
    with pytest.raises(ActError, match=r"number 'J-14': expected a number that no other job has"):
        work.plan("J-14")
