"""What one asker may see of the database: every owned table has its view, and no view shows or takes more."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.identity.acts import (
    ActError,
    ForbiddenError,
    authorise,
    change_person,
    grant_role,
    invite,
    set_disabled,
    take_role,
    withdraw,
)
from cloud.store.accounts import list_grants
from cloud.store.people import get_person, is_authorised
from cloud.store.snapshot import ASKER, Seen, changing, snapshot
from cloud.web.feed import Change, LiveFeed
from cloud.web.language import language
from cloud.web.stream import View, _events
from rules.permissions import Grant, Role
from tests.cloud.identity.conftest import START, administrator
from tests.cloud.identity.world import NOW

UNOWNED = {
    *("schema_migrations", "directory_version", "rollup_state", "rejects", "batch_bodies"),
    *("sign_in_attempts", "audit_heads", "enrolment", "alarm_room", "job_feed"),
}
"""Tables of the hub itself: no row of them belongs to an organisation, or it is reached by one that does."""
BY_POINT = {"readings", "positions", "readings_1m", "readings_1h"}
"""Reached by the id of a point alone, which is filtered."""


def test_every_owned_table_has_its_view(lab):
    tables = {name for (name,) in lab.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    views = {name for (name,) in lab.execute("SELECT viewname FROM pg_views WHERE schemaname = 'scoped'")}
    owned = {
        name
        for (name,) in lab.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'organisation_id'"
        )
    }
    assert views == (owned & tables) - BY_POINT | {"organisations"}
    assert tables - views - BY_POINT <= UNOWNED


def seen_by(world, seen, statement):
    async def ask():
        async with AsyncConnectionPool(world.lab.hub_dsn, min_size=1, max_size=1, open=False) as pool:
            before = ASKER.set(seen)
            try:
                async with snapshot(pool) as connection:
                    return await (await connection.execute(statement)).fetchall()
            finally:
                ASKER.reset(before)

    return asyncio.run(ask())


def test_without_being_told_where_the_views_show_nothing_and_fail(lab):
    with psycopg.connect(lab.hub_dsn, autocommit=True) as connection:
        connection.execute("SET search_path = scoped, public")
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT * FROM sites")


def test_who_may_see_nothing_sees_no_row_of_any_view(world):
    nothing = Seen(frozenset(), frozenset())
    for (view,) in world.lab.execute("SELECT viewname FROM pg_views WHERE schemaname = 'scoped'"):
        assert seen_by(world, nothing, f"SELECT * FROM {view}") == [], view


def test_who_may_see_all_sees_every_row_of_every_view(world):
    bodies = frozenset(number for (number,) in world.lab.execute("SELECT id FROM organisations"))
    for (view,) in world.lab.execute("SELECT viewname FROM pg_views WHERE schemaname = 'scoped'"):
        rows = seen_by(world, Seen(bodies, frozenset(), everywhere=True), f"SELECT count(*) FROM {view}")
        assert rows == world.lab.execute(f"SELECT count(*) FROM public.{view}"), view


def test_row_of_another_body_cannot_be_written_through_a_view(world):
    async def write():
        async with AsyncConnectionPool(world.lab.hub_dsn, min_size=1, max_size=1, open=False) as pool:
            before = ASKER.set(Seen(frozenset({1}), frozenset()))
            try:
                async with changing(pool) as connection:
                    await connection.execute(
                        "INSERT INTO people (organisation_id, number, name) VALUES (%s, 'x', 'x')",
                        (world.places["alien"].organisation,),
                    )
            finally:
                ASKER.reset(before)

    with pytest.raises(psycopg.errors.WithCheckOptionViolation):
        asyncio.run(write())


def test_last_administrator_stays_and_nobody_closes_themselves(in_house):
    async def scene(house):
        account = await house.account("anna", administrator())
        viewer = await house.viewer("anna")
        async with house.act(viewer) as act:
            (row,) = await list_grants(act.connection, account_ids=[account])
            with pytest.raises(ActError, match="keeps an administrator"):
                await take_role(act, row.id)
            with pytest.raises(ActError, match="than one's own"):
                await set_disabled(act, account, disabled=True, why="x")
            other = await house.account("bo", administrator())
            assert other
        async with house.act(viewer) as act:
            await take_role(act, row.id)

    in_house(scene)


async def leave(house, viewer, account):
    async with house.act(viewer) as act:
        (row,) = await list_grants(act.connection, account_ids=[account])
        await take_role(act, row.id)


def test_two_administrators_who_go_at_once_leave_one_behind(in_house):
    async def scene(house):
        made = [
            (await house.account(one, administrator()), await house.viewer(one)) for one in ("anna", "bo")
        ]
        ended = await asyncio.gather(
            *(leave(house, viewer, account) for account, viewer in made), return_exceptions=True
        )
        assert {type(one) for one in ended} == {type(None), ActError}

    in_house(scene)


def test_who_cannot_sign_in_does_not_count_as_the_administrator_that_stays(in_house, lab):
    async def scene(house):
        account = await house.account("anna", administrator())
        viewer = await house.viewer("anna")
        for name, state in (("bo", "disabled_at = now()"), ("cy", "password = NULL")):
            other = await house.account(name, administrator())
            lab.execute(f"UPDATE accounts SET {state} WHERE id = %s", other)
        left = await house.account("di", administrator())
        lab.execute(
            "UPDATE people SET left_at = '2020-01-01Z' WHERE id ="
            " (SELECT person_id FROM accounts WHERE id = %s)",
            left,
        )
        with pytest.raises(ActError, match="keeps an administrator"):
            await leave(house, viewer, account)

    in_house(scene)


def test_nobody_says_of_themselves_that_they_left(in_house, lab):
    async def scene(house):
        await house.account("anna", administrator())
        await house.account("bo", administrator())
        viewer = await house.viewer("anna")
        ((person,),) = lab.execute("SELECT id FROM people WHERE number = 'n-anna'")
        async with house.act(viewer) as act:
            with pytest.raises(ActError, match="than one's own"):
                await change_person(act, person, name="Anna", department="", left_at=START)
            await change_person(act, person, name="Anna B", department="", left_at=None)

    in_house(scene)


def test_account_with_more_rights_is_not_taken_over_by_an_invitation(in_house, lab):
    (body,) = lab.execute("INSERT INTO organisations (name) VALUES ('over') RETURNING id")

    async def scene(house):
        strong = await house.account("strong", administrator(), Grant(Role.ADMINISTRATOR, body[0]))
        await house.account("anna", administrator())
        viewer = await house.viewer("anna")
        ((person,),) = lab.execute("SELECT person_id FROM accounts WHERE id = %s", strong)
        async with house.act(viewer) as act:
            with pytest.raises(ForbiddenError):
                await invite(act, person)
            with pytest.raises(ForbiddenError):
                await grant_role(act, strong, Grant(Role.VIEWER, body[0]))

    in_house(scene)


@pytest.mark.requirement("H-7.2c", "S-4.3.2", "G-6.9b")
def test_authorisation_is_judged_at_the_instant_of_use(in_house, lab):
    async def scene(house):
        await house.account("anna")
        ((person,),) = lab.execute("SELECT id FROM people WHERE number = 'n-anna'")
        day = timedelta(days=1)
        async with house.act() as act:
            number = await authorise(
                act,
                person,
                kind="equipment",
                subject="mass comparator",
                from_at=START,
                to_at=START + 10 * day,
                basis="exam",
            )
            await withdraw(act, number, from_at=START + 5 * day, why="moved")

            async def held(at, kind="equipment"):
                return await is_authorised(
                    act.connection, person, kind=kind, subject="mass comparator", at=at
                )

            assert await get_person(act.connection, person) is not None
            assert [await held(START + n * day) for n in (-1, 0, 4, 5, 11)] == [
                False,
                True,
                True,
                False,
                False,
            ]
            assert not await held(START, "activity")

    in_house(scene)


def test_live_stream_shows_the_sites_that_may_be_seen(world):
    feed = LiveFeed(world.lab.hub_dsn, now=lambda: NOW)

    async def read(connection):
        await feed._read_directory(connection)
        await feed._read_values(connection, None)
        feed._judge(at_once=True)

    world.lab.run(read)
    here = world.places["here"]

    def told(sites, placed):
        view = View(language("en"), None, sites=sites, placed=placed)
        return b"".join(_events(feed, view, Change(everything=True), now=NOW)).decode()

    mine = told(frozenset({here.site}), frozenset())
    assert "here" in mine
    assert "there" not in mine.replace("here-site", "")
    assert "alien" not in mine
    assert "event: positions" not in mine
    assert "alien" in told(None, None)
    assert told(frozenset(), frozenset()).count("event: points") == 0


def test_settings_are_seen_where_a_gateway_serves_and_what_it_measured_where_it_did(world):
    """A gateway that was moved to another site: who may see the first site alone."""
    organisation = world.places["alien"].organisation
    (first,), (second,) = (
        world.lab.execute(
            "INSERT INTO sites (organisation_id, name, title, kind, time_zone)"
            " VALUES (%s, %s, %s, 'laboratory', 'Asia/Shanghai') RETURNING id",
            *(organisation, name, name),
        )[0]
        for name in ("moved-from", "moved-to")
    )
    ((gateway,),) = world.lab.execute(
        "INSERT INTO gateways (organisation_id, name) VALUES (%s, 'moved-1') RETURNING id", organisation
    )
    world.lab.execute(
        "INSERT INTO settings_revisions VALUES"
        " (%s, %s, 1, '', sha256(''), 'gateway', 'moved-1', 'found', now(), 0)",
        *(organisation, gateway),
    )
    binding = (
        "INSERT INTO gateway_bindings (organisation_id, gateway_id, site_id, valid) VALUES (%s, %s, %s, %s)"
    )
    world.lab.execute(binding, organisation, gateway, first, "(,2026-01-01)")

    def seen(site: int, table: str) -> int:
        asked = f"SELECT count(*) FROM {table} WHERE gateway_id = {gateway}"
        return seen_by(world, Seen(frozenset(), frozenset({site})), asked)[0][0]

    assert seen(first, "settings_revisions") == 1, "nobody took it elsewhere"
    world.lab.execute(binding, organisation, gateway, second, "[2026-01-01,)")
    assert [seen(site, "settings_revisions") for site in (first, second)] == [0, 1]
    assert seen(first, "gateway_bindings") == 1
