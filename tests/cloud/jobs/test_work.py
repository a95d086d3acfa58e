"""What gateways are told of jobs and calibrations: numbered on change, bounded, anew after a restore."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from cloud import job_acts
from cloud.jobs import work as compiling
from cloud.jobs.work import body_of, compile_all, drift_of, fitting
from cloud.store import control_status, shadow
from cloud.store.jobs import now_tick
from cloud.store.jobs_work import Certificate
from rules.access.request import Job
from rules.access.words import JobState
from rules.work import decode_work
from tests.cloud.jobs.conftest import MINUTE, START, Work
from wire.control import ControlStatus, DocumentNow
from wire.shadow import Revision

pytestmark = pytest.mark.requirement("G-6.4e", "G-6.11b", "H-7.3.1b")


@pytest.fixture(autouse=True)
def _nothing_told(work: Work) -> None:
    work.lab.execute("DELETE FROM work_documents")
    work.lab.execute("DELETE FROM calibrations")


def told(work):
    (one,) = work.run(lambda connection: compile_all(connection, work.now))
    return one


def test_gateway_is_told_the_job_and_every_change_of_it(work: Work) -> None:
    job_id = work.plan("W-1")
    first = told(work)
    assert (first.incarnation, first.number) == (0, 1)
    assert decode_work(body_of(first)).jobs[0] == Job(
        id="W-1",
        zone="room-2",
        state=JobState.PLANNED,
        people=("ann", "bob"),
        activities=("weighing",),
        equipment=("std-1",),
        planned=first.work.jobs[0].planned,
        min_people=2,
    )
    assert told(work).number == 1
    work.act(lambda act: job_acts.start(act, job_id))
    second = told(work)
    assert (second.number, second.work.jobs[0].state) == (2, JobState.RUNNING)
    work.tell("interlock_tripped")
    work.follow()
    assert told(work).work.jobs[0].state is JobState.HELD
    work.act(lambda act: job_acts.finish(act, job_id, reason="given up"))
    assert told(work).work.jobs == ()


def test_gateway_is_told_the_certificate_in_force_by_the_name_of_its_channel(work: Work) -> None:
    (channel,) = work.lab.execute("SELECT channel FROM channel_bindings WHERE point_id = %s", work.point)
    for day, correction in (("2025-01-01", "0.10"), ("2025-12-27", "0.46")):
        work.lab.execute(
            "UPDATE calibrations SET valid = tstzrange(lower(valid), %s) WHERE point_id = %s", day, work.point
        )
        work.lab.execute(
            "INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent,"
            " expanded_uncertainty, calibrated_on, due_on)"
            " VALUES (1, %s, tstzrange(%s, NULL), '{20}', %s, -2, 0.05, %s, %s::date + 365)",
            *(work.point, day, [Decimal(correction)], day, day),
        )
    ((name, found),) = told(work).work.calibrations.items()
    assert name == channel[0]
    assert (found.correction, found.expanded_uncertainty) == ((Decimal("0.46"),), Decimal("0.05"))
    assert found.drift_per_day == Decimal("0.001")
    assert found.calibrated_utc == now_tick(START.replace(year=2025, month=12, day=26, hour=16))
    assert found.due_utc == found.calibrated_utc + 366 * 8_640_000


def test_calibration_without_uncertainty_is_not_told(work: Work) -> None:
    work.lab.execute(
        "INSERT INTO calibrations (organisation_id, point_id, valid, indicated, correction, exponent)"
        " VALUES (1, %s, '(,)', '{20}', '{0}', -2)",
        work.point,
    )
    assert told(work).work.calibrations == {}


def test_drift_is_the_greatest_move_at_any_node_and_none_without_a_certificate_before() -> None:
    one = Certificate(
        "c",
        (Decimal(0), Decimal(10)),
        (Decimal("0.1"), Decimal("0.1")),
        -2,
        Decimal("0.01"),
        10 * 8_640_000,
        None,
        ((Decimal(5),), (Decimal("-0.9"),), 0),
    )
    assert drift_of(one) == Decimal("0.1")
    assert drift_of(replace(one, before=None)) == 0


def test_document_has_a_bound_and_work_under_way_comes_first() -> None:
    jobs = [Job(id=f"j-{n}", zone="z", state=JobState.RUNNING, people=("p",) * 20) for n in range(2000)]
    assert len(fitting(jobs, {})) == compiling.JOBS_MAX
    long = [Job(id="j", zone="z", state=JobState.RUNNING, activities=("x" * 200,) * 500)] * 20
    assert len(fitting(long, {})) == compiling.BYTES_MAX // (len(msgspec.json.encode(long[0])) + 1)


def honours(work, revision, digest=""):
    """Have the gateway say which document it honours."""
    work.tick += 1
    document = DocumentNow(revision=revision, digest=digest)
    said = ControlStatus(gateway="gateway-1", boot=bytes(16), tick=work.tick, work=document)

    async def keep(connection):
        async with connection.transaction():
            owner = await shadow.owner(connection, "gateway-1", work.now)
            await control_status.keep(connection, owner, said, received_at=work.now, heard_at=work.now)

    work.run(keep)


def test_restored_hub_begins_anew_where_a_gateway_honours_more(work: Work) -> None:
    work.plan("W-2")
    first = told(work)
    honours(work, Revision(0, 1), hashlib.sha256(body_of(first)).hexdigest())
    assert told(work).number == 1
    honours(work, Revision(2, 7))
    anew = told(work)
    assert (anew.incarnation, anew.number) == (3, 1)
    honours(work, Revision(3, 1), "another document of this number")
    assert (told(work).incarnation, told(work).number) == (4, 1)


def test_job_planned_far_ahead_is_told_later(work: Work) -> None:
    work.plan("W-3")
    assert len(told(work).work.jobs) == 1
    work.now -= timedelta(days=31)
    assert told(work).work.jobs == ()
    work.now += timedelta(days=40) + MINUTE
    assert len(told(work).work.jobs) == 1
