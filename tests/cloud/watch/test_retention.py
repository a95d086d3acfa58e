"""What is kept no longer goes by rule, with the bytes that hold it; the chain of batches stays."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
import pytest

from cloud.store import retention
from cloud.watch.retention import forget

NOW = datetime(2026, 6, 10, tzinfo=UTC)
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
"""08:00 at the site."""
WEEK = [MONDAY + timedelta(hours=hour) for hour in range(7 * 24)]
HOURS = {"weekdays": [1, 2, 3, 4, 5], "from_time": time(8), "to_time": time(18), "keep_off_duty": False}


@pytest.fixture
def place(lab: Any) -> int:
    """A point that moves, with one position an hour for a week, each with a batch of its own."""
    lab.execute(
        "DELETE FROM positions; DELETE FROM latest_positions; DELETE FROM batch_bodies; DELETE FROM batches;"
        "DELETE FROM duty_hours; DELETE FROM retention; DELETE FROM events"
    )
    point = lab.point()
    lab.execute("UPDATE points SET quantity = 'position' WHERE id = %s", point)
    store(lab, point, WEEK)
    return int(point)


def store(lab: Any, point: int, times: Sequence[datetime], *, stored_at: datetime | None = None) -> None:
    lab.execute(
        "INSERT INTO positions (observed_at, point_id, organisation_id, mode)"
        " SELECT unnest(%s::timestamptz[]), %s, 1, 3",
        list(times),
        point,
    )
    lab.execute(
        "INSERT INTO latest_positions (point_id, organisation_id, observed_at, mode) VALUES (%s, 1, %s, 3)"
        " ON CONFLICT (point_id) DO UPDATE SET observed_at = excluded.observed_at",
        point,
        times[-1],
    )
    lab.execute(
        "WITH b AS (INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id,"
        " signature, boot, clock_state, clock_source, state, readings, first_at, last_at, received_at,"
        " stored_at) SELECT 1, 1, '', extract(epoch FROM t), '\\x01', '\\x02', '', '', '', 'synchronised',"
        " 'system', 'placed', 1, t, t, t, coalesce(%s::timestamptz, t) FROM unnest(%s::timestamptz[]) AS t"
        " RETURNING id) INSERT INTO batch_bodies (batch_id, body) SELECT id, 'x' FROM b",
        stored_at,
        list(times),
    )


def declare(lab: Any, **given: Any) -> None:
    lab.run(lambda connection: retention.set_duty(connection, 1, 1, **{**HOURS, **given}))


def sweep(lab: Any, now: datetime = NOW) -> None:
    """As the hub's role does, which can delete no row itself."""

    async def ask(_: Any) -> None:
        async with await psycopg.AsyncConnection.connect(lab.hub_dsn, autocommit=True) as connection:
            await forget(connection, now)

    lab.run(ask)


def hours(lab: Any) -> set[datetime]:
    return {row[0] for row in lab.execute("SELECT observed_at FROM positions")}


def on_duty(times: Sequence[datetime]) -> set[datetime]:
    local = [(at, at + timedelta(hours=8)) for at in times]
    return {at for at, there in local if there.isoweekday() <= 5 and 8 <= there.hour < 18}


def test_site_that_declares_no_hours_keeps_its_positions(lab: Any, place: int) -> None:
    sweep(lab)
    assert hours(lab) == set(WEEK)


@pytest.mark.requirement("S-5.6.3")
def test_positions_off_duty_go_with_their_bytes_and_the_chain_stays(lab: Any, place: int) -> None:
    declare(lab)
    chain = lab.execute("SELECT seq, hash, previous FROM batches ORDER BY seq")
    sweep(lab)
    assert hours(lab) == on_duty(WEEK)
    kept = lab.execute("SELECT b.first_at FROM batches b JOIN batch_bodies d ON d.batch_id = b.id")
    assert {row[0] for row in kept} == on_duty(WEEK)
    assert lab.execute("SELECT seq, hash, previous FROM batches ORDER BY seq") == chain
    assert lab.execute("SELECT count(*) FROM latest_positions") == [(0,)]
    ((actor, thing, new),) = lab.execute(
        "SELECT actor, object, new::text FROM audit_log ORDER BY id DESC LIMIT 1"
    )
    assert (actor, thing) == ("retention", "positions off duty of site lab-1")
    assert f'"positions":{len(WEEK) - len(on_duty(WEEK))}' in new


def test_positions_off_duty_are_kept_where_it_is_allowed(lab: Any, place: int) -> None:
    declare(lab, keep_off_duty=True)
    sweep(lab)
    assert hours(lab) == set(WEEK)


def test_positions_off_duty_are_kept_for_as_long_as_the_organisation_says(lab: Any, place: int) -> None:
    declare(lab)
    real = datetime.now(UTC)
    days = (real - (MONDAY + timedelta(days=3))).days
    lab.run(lambda connection: retention.set_days(connection, 1, "positions_off_duty", days))
    sweep(lab, real)
    edge = real - timedelta(days=days)
    wanted = on_duty(WEEK) | {at for at in WEEK if at >= edge}
    assert hours(lab) ^ wanted <= {at for at in WEEK if abs(at - edge) < timedelta(hours=2)}


def test_what_comes_late_goes_with_the_next_pass(lab: Any, place: int) -> None:
    declare(lab)
    sweep(lab)
    store(lab, place, [MONDAY - timedelta(hours=2)], stored_at=NOW + timedelta(minutes=1))
    sweep(lab, NOW + timedelta(minutes=5))
    assert hours(lab) == on_duty(WEEK)


def test_what_comes_weeks_late_goes_too_and_nothing_else_waits_for_it(lab: Any, place: int) -> None:
    declare(lab)
    sweep(lab)
    old = [MONDAY - timedelta(weeks=5), MONDAY - timedelta(hours=2)]
    store(lab, place, old, stored_at=NOW + timedelta(minutes=1))
    card = NOW - timedelta(days=800)
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, observed_at, kind, subject)"
        " VALUES (1, 1, %s, 'card_read', '')",
        card,
    )
    sweep(lab, NOW + timedelta(minutes=5))
    assert hours(lab) == on_duty([*WEEK, *old])
    assert lab.execute("SELECT swept_to FROM duty_hours") == [(NOW + timedelta(minutes=5),)]
    assert lab.execute("SELECT count(*) FROM events WHERE kind = 'card_read'") == [(0,)]


def test_what_is_placed_long_after_it_was_stored_goes_too(lab: Any, place: int) -> None:
    declare(lab)
    sweep(lab)
    sweep(lab, NOW + timedelta(days=1))
    late = MONDAY - timedelta(hours=2)
    store(lab, place, [late], stored_at=NOW - timedelta(days=2))  # it waited, and its points are declared now
    sweep(lab, NOW + timedelta(days=1, minutes=5))
    assert late not in hours(lab)


def test_hours_that_are_declared_anew_during_a_sweep_hold_for_all_of_it(lab: Any, place: int) -> None:
    declare(lab)

    async def scene(connection: Any) -> Any:
        begun = await retention.begin_sweep(connection, 1, now=NOW)
        assert begun is not None
        _, _, left = await retention.forget_positions(connection, begun, now=NOW)
        assert left is not None
        await retention.set_duty(connection, 1, 1, **{**HOURS, "to_time": time(12)})
        return await retention.forget_positions(connection, left, now=NOW)

    _, _, left = lab.run(scene)
    assert left is None
    sweep(lab)
    assert {(at + timedelta(hours=8)).hour for at in hours(lab)} == {8, 9, 10, 11}


def test_other_hours_are_taken_to_what_is_stored_already(lab: Any, place: int) -> None:
    declare(lab)
    sweep(lab)
    declare(lab, to_time=time(12))
    sweep(lab)
    assert {(at + timedelta(hours=8)).hour for at in hours(lab)} == {8, 9, 10, 11}


def test_events_of_access_go_when_they_are_too_old_and_no_others(lab: Any, place: int) -> None:
    for kind, age in (("card_read", 800), ("card_read", 700), ("power_lost", 800), ("access_denied", 800)):
        lab.execute(
            "INSERT INTO events (organisation_id, gateway_id, observed_at, kind, subject)"
            " VALUES (1, 1, now() - %s * interval '1 day', %s, %s)",
            age,
            kind,
            str(age),
        )
    sweep(lab)
    assert lab.execute("SELECT kind, subject FROM events ORDER BY id") == [
        ("card_read", "700"),
        ("power_lost", "800"),
    ]


def test_hub_s_role_deletes_no_evidence_by_itself(lab: Any) -> None:
    with psycopg.connect(lab.hub_dsn, autocommit=True) as hub:
        for table in ("positions", "events", "batches", "batch_bodies", "audit_log"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                hub.execute(f"DELETE FROM {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hub.execute("SELECT forget_bodies('{1}', '{2026-01-01}')")
