"""From readings and events to occurrences on the list, on a real database."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from cloud import alarm_acts
from cloud.alarm_acts import Alarm
from cloud.alarms.judging import begin_again
from cloud.store.alarm_series import Series
from rules.alarm.model import Condition, Priority, Rule, Sample
from tests.cloud.alarms.world import COMMS, HI

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b", "G-6.11d")


def test_a_value_beyond_its_limit_is_on_the_list_until_it_is_back_and_acknowledged(site):
    point = site.watch(HI)

    async def scene():
        async with site.keeper() as turn:
            site.measure(point, 22.0, 23.5, 24.0)
            await turn()
            assert site.rows("condition, value, worst, alarm_limit, open, live") == [
                ("hi", 23.5, 24, 23, True, True)
            ]
            async with turn.connection.transaction():
                alarm = Alarm(1, site.names[point], Condition.HI)
                await alarm_acts.acknowledge(site.act(turn.connection), alarm, text="seen")
            assert site.rows("open, acknowledged_by") == [(True, "ann")]
            site.measure(point, 22.0)
            await turn()
            assert site.rows("open, acknowledged_by, ended") == [(False, "ann", "returned")]
            acts = site.lab.execute("SELECT what, by_whom FROM alarm_acts ORDER BY id")
            assert acts == [("called", ""), ("acknowledged", "ann")]
            audited = site.lab.execute("SELECT action, why FROM audit_log WHERE action LIKE 'alarm%%'")
            assert audited == [("alarm.acknowledge", "seen")]

    asyncio.run(scene())


def test_hub_that_starts_again_goes_on_where_it_was(site):
    point = site.watch(HI, COMMS)

    async def scene():
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
        before = site.rows("id, onset, live, called_at")
        site.measure(point, 25.0)
        async with site.keeper() as turn:
            assert site.rows("id, onset, live, called_at") == before
            assert site.rows("worst") == [(25,)]
            site.measure(point, 20.0)
            await turn()
            assert site.rows("open, ended") == [(True, "returned")]

    asyncio.run(scene())
    assert [row[0] for row in site.lab.execute("SELECT what FROM alarm_acts")] == ["called"]


def test_data_that_come_hours_late_raise_historical_alarms_and_call_nobody(site):
    point = site.watch(HI)

    async def scene():
        async with site.keeper() as turn:
            begin = site.now
            for _ in range(3):
                site.now += timedelta(minutes=30)
                site.measure(point, *[20.0] * 5)
                await turn()
            site.lab.store(point, [(begin + timedelta(minutes=5, seconds=n), 2400, 0) for n in range(9)])
            site.lab.store(point, [(begin + timedelta(minutes=6), 2000, 0)])
            await turn()
            assert site.lab.execute("SELECT count(*) FROM alarm_late") == [(1,)]
            await turn(after_s=11)
            assert site.rows("condition, open, live, called_at, ended") == [
                ("hi", True, False, None, "returned")
            ]
            assert site.lab.execute("SELECT count(*) FROM alarm_acts") == [(0,)]
            assert site.lab.execute("SELECT count(*) FROM alarm_late") == [(0,)]

    asyncio.run(scene())


def test_interlock_that_trips_is_an_urgent_alarm_until_it_is_reset(site):
    async def scene():
        async with site.keeper() as turn:
            site.event("interlock_tripped", "room-2", causes="hot", breach=1)
            await turn()
            (row,) = site.rows("point, condition, priority, open, cleared_at, detail->>'causes'")
            assert row == ("interlock/room-2", "event", 1, True, None, "hot")
            site.now += timedelta(seconds=9)
            site.event("interlock_enabled", "room-2")
            await turn()
            assert site.rows("open, ended") == [(True, "returned")]
            site.now += timedelta(seconds=9)
            site.event("access_refused", "door-1/in", duress=True)
            site.event("access_refused", "door-2/in", duress=False)
            await turn()
            assert site.rows("point, open, ended")[1:] == [("duress/door-1/in", True, "returned")]

    asyncio.run(scene())


def test_door_that_is_forced_is_in_alarm_until_it_is_shut(site):
    async def scene():
        async with site.keeper() as turn:
            site.event("door_shut", "door-1", forced=True)
            site.event("door_forced", "door-1")
            await turn()
            assert site.rows("point, cleared_at") == [("door-forced/door-1", None)]
            site.now += timedelta(seconds=9)
            site.event("door_shut", "door-1", forced=True)
            site.event("lock_down", "*", on=True)
            await turn()
            assert site.rows("point, ended") == [("door-forced/door-1", "returned"), ("lock-down/*", None)]
            site.now += timedelta(seconds=9)
            site.event("lock_down", "*", on=False)
            await turn()
            assert site.rows("ended") == [("returned",), ("returned",)]

    asyncio.run(scene())


def test_silence_is_an_alarm_of_its_own_and_the_value_stays_as_it_was(site):
    point = site.watch(HI, COMMS)

    async def scene():
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
            await turn(after_s=120)
            assert site.rows("condition, open, cleared_at, live") == [
                ("hi", True, None, True),
                ("comms", True, None, True),
            ]
            site.measure(point, 20.0)
            await turn()
            assert site.rows("condition, ended") == [("hi", "returned"), ("comms", "returned")]

    asyncio.run(scene())


def test_data_that_come_late_take_back_the_alarm_of_a_silence_that_was_none(site):
    point = site.watch(COMMS | {"on_delay_ticks": 1000}, period_ms=60_000)

    async def scene():
        async with site.keeper() as turn:
            site.measure(point, 20.0)
            begin = site.now
            await turn()
            await turn(after_s=1800)
            assert site.rows("condition, live, cleared_at") == [("comms", True, None)]
            for _ in range(30):
                site.measure(point, 20.0, step_s=60)
                await turn()
            assert site.rows("ended, withdrawn_at") == [("returned", None)]
            site.lab.store(point, [(begin + timedelta(minutes=n), 2000, 0) for n in range(1, 31)])
            await turn()
            await turn(after_s=11)
            ((withdrawn, is_open),) = site.rows("withdrawn_at, open")
            assert withdrawn is not None
            assert not is_open
            acts = [row[0] for row in site.lab.execute("SELECT what FROM alarm_acts ORDER BY id")]
            assert acts == ["called", "withdrawn"]

    asyncio.run(scene())


def test_rules_that_change_end_what_stood_by_them(site):
    point = site.watch(HI)

    async def scene():
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
            site.watch(HI | {"limit": "23.50"}, point=point)
            await turn(after_s=1)
            assert site.rows("ended, alarm_limit") == [("rule_changed", 23)]
            site.measure(point, 24.0)
            await turn()
            assert [row[0] for row in site.rows("alarm_limit")] == [23, 23.5]
            assert site.rows("open, cleared_at IS NULL")[1] == (True, True)

    asyncio.run(scene())


def test_calibration_that_is_overdue_is_an_alarm_until_it_is_done_and_outlives_a_restart(site):
    point = site.watch({"condition": "calibration", "priority": 4})
    site.lab.execute("UPDATE points SET calibration_due = '2025-12-24' WHERE id = %s", point)

    async def scene():
        async with site.keeper() as turn:
            await turn(after_s=60)
            before = site.rows("id, condition, cleared_at, withdrawn_at")
            assert [row[1:] for row in before] == [("calibration", None, None)]
        async with site.keeper() as turn:
            await turn(after_s=120)
            assert site.rows("id, condition, cleared_at, withdrawn_at") == before
            site.lab.execute("UPDATE points SET calibration_due = '2027-01-01' WHERE id = %s", point)
            await turn(after_s=120)
            assert site.rows("condition, ended") == [("calibration", "returned")]

    asyncio.run(scene())


def test_mobile_laboratory_outside_of_a_job_is_suppressed_visibly(site):
    point = site.watch(HI)
    site.lab.execute("UPDATE sites SET kind = 'mobile_lab' WHERE id = 1")

    def job(state):
        site.lab.execute(
            "INSERT INTO jobs (organisation_id, site_id, number, zone, state, planned_from, planned_to,"
            " document, author, made_at)"
            " VALUES (1, 1, 'J1', 'lab', %s, now(), now(), '{}', 'test', now())"
            " ON CONFLICT (organisation_id, number) DO UPDATE SET state = excluded.state",
            state,
        )

    async def scene():
        async with site.keeper() as turn:
            job("planned")
            site.measure(point, 24.0)
            await turn()
            assert site.rows("open, called_at") == [(True, None)]
            acts = [row[0] for row in site.lab.execute("SELECT what FROM alarm_acts ORDER BY id")]
            assert acts == ["suppressed"]
            job("running")
            site.measure(point, 24.0)
            await turn()
            acts = [row[0] for row in site.lab.execute("SELECT what FROM alarm_acts ORDER BY id")]
            assert acts == ["suppressed", "released", "called"]

    try:
        asyncio.run(scene())
    finally:
        site.lab.execute("DELETE FROM jobs; UPDATE sites SET kind = 'laboratory'")


def test_door_that_was_told_while_much_waits_at_the_gateway_wakes_nobody_until_it_has_caught_up(site):
    async def scene():
        async with site.keeper() as turn:
            site.event("gateway_backlog", "gateway-1", batches=9, readings=900)
            await turn(after_s=1)
            site.event("tampered", "cabinet", at=site.now - timedelta(hours=2))
            await turn(after_s=1)
            assert site.rows("condition, live, called_at") == [("tamper", False, None)]
            site.event("gateway_backlog", "gateway-1", batches=0, readings=0)
            await turn(after_s=1)
            ((live, called),) = site.rows("live, called_at")
            assert live
            assert called is not None

    asyncio.run(scene())


def test_event_that_comes_after_a_later_one_of_its_name_is_on_the_list_as_well(site):
    async def scene():
        async with site.keeper() as turn:
            site.event("access_refused", "door-1/in", duress=True, at=site.now)
            await turn()
            site.event("access_refused", "door-1/in", duress=True, at=site.now - timedelta(minutes=5))
            await turn(after_s=1)
            await turn(after_s=11)
            assert site.rows("point, live") == [("duress/door-1/in", False), ("duress/door-1/in", True)]
        async with site.keeper():
            assert site.rows("point, live") == [("duress/door-1/in", False), ("duress/door-1/in", True)]

    asyncio.run(scene())


def test_series_is_judged_again_in_pieces_as_it_would_be_at_once():
    rule = Rule(Condition.HI, Priority.HIGH, limit=Decimal(23), deadband=Decimal(1))
    series = Series(1, 1, 1, 1, "p", "readings", 1, (rule,), 300, "g", 0)
    samples = [Sample(n * 100, Decimal(24 if n // 3 % 2 else 20)) for n in range(1, 61)]
    at_once = begin_again(series, None).end(samples, 6000)
    pieces = begin_again(series, None)
    for start in (0, 7, 14, 21, 28, 35, 42, 49):
        pieces.take(samples[start : start + 7])
        assert pieces.read_to == samples[start + 6].at
        assert pieces.timeline.samples == ()
    again = pieces.end(samples[56:], 6000)
    assert {one.id: one.cleared_at for one in again.seen.occurrences} == {
        one.id: one.cleared_at for one in at_once.seen.occurrences
    }
    assert len(again.seen.occurrences) == 10
    assert (again.seen.since, len(again.bases)) == (0, 8)
