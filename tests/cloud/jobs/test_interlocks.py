"""Interlocks of the hub: a vehicle that moves holds the work of a laboratory and trips its interlock."""

from datetime import timedelta
from decimal import Decimal

import pytest

from cloud import hub_interlock_acts
from cloud.hub_interlock_acts import LOOK_S, plant_of, simple_rule, worst_s
from cloud.identity.acts import ActError
from cloud.job_judging import judge
from cloud.jobs.interlocks import HubInterlocks
from cloud.store import jobs_interlocks, shadow
from cloud.store.connection import Connection
from cloud.store.jobs import now_tick
from cloud.store.jobs_interlocks import Trip
from rules.access.words import JobState
from rules.jobs.model import hold_of
from tests.cloud.jobs.conftest import Work
from wire.settings.shadow import check_text
from wire.settings.toml import to_toml

pytestmark = pytest.mark.requirement("H-7.3.1b")

SECOND = timedelta(seconds=1)


@pytest.fixture
def car(work: Work) -> int:
    """A vehicle with a position every second, of the organisation of the laboratory."""
    work.lab.execute("TRUNCATE hub_interlocks, positions, latest_positions, commands CASCADE")
    work.lab.execute(
        "INSERT INTO sites (organisation_id, name, title, kind) VALUES (1, 'car-1', 'Car', 'vehicle')"
        " ON CONFLICT DO NOTHING"
    )
    work.lab.execute(
        "INSERT INTO points (organisation_id, site_id, name, quantity, kind)"
        " SELECT 1, id, 'gps/position', 'position', 'analog' FROM sites WHERE name = 'car-1'"
        " ON CONFLICT DO NOTHING"
    )
    (point,) = work.lab.execute("SELECT id FROM points WHERE name = 'gps/position'")
    work.lab.execute(
        "INSERT INTO point_versions (organisation_id, point_id, exponent, period_ms) VALUES (1, %s, 0, 1000)"
        " ON CONFLICT DO NOTHING",
        point[0],
    )
    return int(point[0])


def drive(work, point, mm_s):
    work.lab.execute(
        "INSERT INTO positions (observed_at, point_id, organisation_id, mode, speed_mm_s)"
        " VALUES (%s, %s, 1, 3, %s)",
        *(work.now, point, mm_s),
    )
    work.lab.execute(
        "INSERT INTO latest_positions (point_id, organisation_id, observed_at, mode, speed_mm_s)"
        " VALUES (%s, 1, %s, 3, %s) ON CONFLICT (point_id) DO UPDATE"
        " SET observed_at = excluded.observed_at, speed_mm_s = excluded.speed_mm_s",
        *(point, work.now, mm_s),
    )


def kept(work):
    (one,) = work.run(lambda connection: jobs_interlocks.list_hub_interlocks(connection))
    return one


def save(work, **more):
    rule = simple_rule("parked", "car-1/gps/position#speed", low=None, high=Decimal("0.5"))
    given = {
        "holds": ["lab-1/room-2"],
        "trips": [Trip("gateway-1", "climate")],
        "enabled": True,
        "reason": "no weighing while driving",
        **more,
    }
    return work.act(lambda act: hub_interlock_acts.save(act, 1, given.pop("rule", rule), **given))


def look(work, running, point, *speeds, step=SECOND):
    for mm_s in speeds:
        work.now += step
        drive(work, point, mm_s)
        work.run(lambda connection: running.look(connection, work.now))


def asked(work, running, interlock, *, what, reason="looked at"):
    breach = kept(work).breach
    work.act(lambda act: hub_interlock_acts.ask(act, interlock, what, breach=breach, reason=reason))
    work.run(lambda connection: running.look(connection, work.now))
    (one, *_) = work.run(lambda connection: jobs_interlocks.asks_of(connection, interlock))
    assert one.done_at is not None
    return one.refused


def enabled(work, running, interlock):
    return [asked(work, running, interlock, what=what) for what in ("acknowledge", "reset", "enable")]


def test_vehicle_that_moves_holds_the_work_and_has_the_gateway_trip(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    assert kept(work).phase == "ready_to_reset"  # a rule begins tripped
    assert enabled(work, running, interlock) == ["", "", ""]
    assert kept(work).phase == "healthy"
    work.lab.execute("TRUNCATE commands CASCADE")
    work.status()
    job_id = work.start("H-1")
    look(work, running, car, 0, 4000)
    stood = kept(work)
    assert (stood.phase, stood.first_out) == ("tripped", ("limit",))
    ((name, arguments, asker, valid_ms, refused),) = work.lab.execute(
        "SELECT name, arguments, asker, valid_ms, refused FROM commands"
    )
    assert (name, arguments["interlock"], asker, refused) == (
        *("interlock.trip", "climate", "interlock parked", ""),
    )
    assert valid_ms == hub_interlock_acts.DELIVERY_S * 1000
    work.follow()
    job = work.job(job_id).job
    assert job.state is JobState.HELD
    assert hold_of(job).stands == ("hub/parked",)
    assert hold_of(job).from_at == now_tick(work.now)

    assert asked(work, running, interlock, what="reset") == "out"
    look(work, running, car, 0)
    assert enabled(work, running, interlock) == ["", "", ""]
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ()
    assert work.job(job_id).job.state is JobState.HELD


def test_hub_that_is_started_again_keeps_the_latch_and_trips_on_silence(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    look(work, running, car, 0)
    again = HubInterlocks()
    look(work, again, car, 0, 0)
    assert kept(work).phase == "healthy"
    look(work, again, car, 4000)
    work.now += SECOND
    look(work, HubInterlocks(), car, 0)
    assert kept(work).phase in ("tripped", "ready_to_reset")
    running = HubInterlocks()
    look(work, running, car, 0)
    assert enabled(work, running, interlock) == ["", "", ""]
    work.now += timedelta(seconds=31)
    work.run(lambda connection: running.look(connection, work.now))
    assert kept(work).phase == "tripped"


def test_gateway_that_is_heard_and_does_not_trip_is_asked_again(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    work.lab.execute("TRUNCATE commands CASCADE")
    work.status()
    look(work, running, car, 4000, 0, 0, 0, 0, 0, step=8 * SECOND)
    assert len(work.lab.execute("SELECT 1 FROM commands")) == 1  # it is silent
    work.status()
    look(work, running, car, 0, 0, 0, 0, 0, step=8 * SECOND)
    assert len(work.lab.execute("SELECT 1 FROM commands")) == 2
    work.status()
    look(work, running, car, 0, 0, step=8 * SECOND)
    assert len(work.lab.execute("SELECT 1 FROM commands")) == 2  # it waits twice as long
    work.status("tripped")
    look(work, running, car, 0, 0, 0, step=8 * SECOND)
    work.status("tripped")
    look(work, running, car, 0, step=8 * SECOND)
    assert len(work.lab.execute("SELECT 1 FROM commands")) == 2


def test_rule_that_makes_no_sense_is_refused_with_the_sentence_a_person_needs(work: Work, car: int) -> None:
    with pytest.raises(ActError, match="no zone is called lab-1/cellar"):
        save(work, holds=["lab-1/cellar"])
    with pytest.raises(ActError, match="no point is called car-1/nothing"):
        save(work, rule=simple_rule("parked", "car-1/nothing", low=None, high=Decimal(1)))
    with pytest.raises(ActError, match="neither a low nor a high limit"):
        save(work, rule=simple_rule("parked", "car-1/gps/position#speed", low=None, high=None))
    with pytest.raises(ActError, match="expected a zone whose work it holds"):
        save(work, holds=[])
    with pytest.raises(ActError, match="expected a gateway and one of its interlocks"):
        save(work, trips=[Trip("nobody", "climate")])
    speed = "car-1/gps/position#speed"
    with pytest.raises(ActError, match=r"the high limit 99999 of .* outside of what its sensor can tell"):
        save(work, rule=simple_rule("parked", speed, low=None, high=Decimal(99999)))
    with pytest.raises(ActError, match=r"the low limit -1 of .* outside of what its sensor can tell"):
        save(work, rule=simple_rule("parked", speed, low=Decimal(-1), high=None))
    with pytest.raises(ActError, match=r"interlocks: gateway-1 has climate$"):
        save(work, trips=[Trip("gateway-1", "no such interlock")])
    assert work.lab.execute("SELECT count(*) FROM hub_interlocks") == [(0,)]


_RELAY = {"name": "source-1", "kind": "relay", "pin": 17, "safe": "off"}
_CAUSE = {"kind": "alive", "name": "air", "point": "room-2/air/temperature"}
SETTINGS = to_toml(
    {
        "device": [{"driver": "gpio", "name": "board", "output": [_RELAY]}],
        "interlock": [
            {
                "name": "climate",
                "group": [{"name": "air", "cause": [_CAUSE]}],
                "effect": [{"kind": "hold_work", "target": "room-2"}],
            }
        ],
    }
)


def test_gateway_that_was_never_heard_has_the_interlocks_of_its_settings_alone(work: Work, car: int) -> None:
    assert check_text(SETTINGS)[1] == []
    work.lab.execute("TRUNCATE control_status")
    with pytest.raises(ActError, match="never heard, and its settings at the hub name no such interlock"):
        save(work)

    async def keep(connection: Connection) -> None:
        owner = await shadow.owner(connection, "gateway-1", work.now)
        assert owner is not None
        new = shadow.NewRevision(SETTINGS, bytes(32), "account", "li", "why", work.now, 0)
        await shadow.add(connection, owner, new)

    work.run(keep)
    save(work)
    with pytest.raises(ActError, match="never heard"):
        save(work, trips=[Trip("gateway-1", "gas")])


def test_gateway_of_another_organisation_is_not_tripped(work: Work, car: int) -> None:
    work.lab.execute("INSERT INTO organisations (name) VALUES ('else') ON CONFLICT DO NOTHING")
    work.lab.execute(
        "INSERT INTO gateways (organisation_id, name) SELECT id, 'theirs' FROM organisations"
        " WHERE name = 'else' ON CONFLICT DO NOTHING"
    )
    with pytest.raises(ActError, match="this organisation has no gateway theirs in use"):
        save(work, trips=[Trip("theirs", "climate")])


def test_rule_that_became_wrong_can_still_be_taken_out_of_use(work: Work, car: int) -> None:
    save(work)
    work.lab.execute("UPDATE hub_interlocks SET trips = replace(trips::text, 'climate', 'gone')::jsonb")
    gone = [Trip("gateway-1", "gone")]
    with pytest.raises(ActError, match="gateway-1 has climate"):
        save(work, trips=gone)
    save(work, trips=gone, enabled=False)
    assert not kept(work).enabled


def test_bound_of_a_rule_counts_silence_delay_and_the_hub_itself(work: Work, car: int) -> None:
    save(work)
    rule = kept(work).rule
    plant, _ = work.run(lambda connection: plant_of(connection, 1, ["car-1/gps/position#speed"]))
    assert worst_s(rule, plant) == 30 + LOOK_S


def test_revoked_gateway_is_asked_nothing(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    work.lab.execute("TRUNCATE commands CASCADE")
    work.lab.execute("UPDATE gateways SET revoked_at = %s", work.now)
    look(work, running, car, 4000, 0)
    work.lab.execute("UPDATE gateways SET revoked_at = NULL")
    assert kept(work).phase != "healthy"
    assert work.lab.execute("SELECT 1 FROM commands") == []


def test_interlock_that_nobody_judges_holds_the_work_until_it_is_judged(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    work.status()
    job_id = work.start("H-7")
    work.now += 29 * SECOND
    work.follow()
    assert work.job(job_id).job.state is JobState.RUNNING
    work.now += 2 * SECOND
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ("hub/parked",)
    work.lab.execute("UPDATE hub_interlocks SET stood_at = %s", work.now)
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ()


def test_hold_ends_when_the_interlock_is_of_this_zone_no_more(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    work.status()
    job_id = work.start("H-8")
    look(work, running, car, 4000)
    work.follow()
    assert hold_of(work.job(job_id).job).stands == ("hub/parked",)
    work.lab.execute(
        "UPDATE hub_interlocks SET rule = replace(rule::text, 'lab-1/room-2', 'lab-1/other')::jsonb"
    )
    work.now += SECOND
    work.run(lambda connection: judge(connection, job_id, [], now=work.now))
    assert hold_of(work.job(job_id).job).stands == ()


def test_bad_interlock_stops_no_other_one(work: Work, car: int) -> None:
    save(work)
    other = simple_rule("other", "car-1/gps/position#speed", low=None, high=Decimal("0.5"))
    save(work, rule=other, trips=[])
    running = HubInterlocks()
    look(work, running, car, 0)
    work.lab.execute("UPDATE hub_interlocks SET version = 2, kept = '{\"phase\": 7}' WHERE name = 'parked'")
    look(work, running, car, 0, step=6 * SECOND)
    judged = dict(work.lab.execute("SELECT name, stood_at FROM hub_interlocks"))
    assert judged["other"] == work.now


def test_planned_jobs_push_no_running_one_out_of_sight(work: Work, car: int) -> None:
    interlock, running = save(work), HubInterlocks()
    look(work, running, car, 0, 0)
    enabled(work, running, interlock)
    work.status()
    job_id = work.start("H-9")
    work.plan("H-10")
    work.lab.execute(
        "INSERT INTO jobs (organisation_id, site_id, number, zone, state, planned_from, planned_to, document,"
        " author, made_at) SELECT 1, 1, 'P-' || n, zone, state, planned_from, planned_to, document, author,"
        " made_at FROM jobs, generate_series(1, 1001) n WHERE number = 'H-10'"
    )
    look(work, running, car, 4000)
    work.follow()
    assert work.job(job_id).job.state is JobState.HELD
