"""The first page and a site's page list what needs attention, within what may be seen, and live."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from cloud.store import control_status, needs
from cloud.store.ticks import tick_of_datetime
from cloud.web.feed import LiveFeed
from cloud.web.language import language
from cloud.web.stream import View, stream
from rules.access.words import JobState
from rules.alarm.desk import Desk, Maintenance, Shelf
from rules.alarm.model import Condition, key_of
from rules.jobs.model import Hold, Job
from rules.jobs.spans import Span
from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from wire.codec import encode_body
from wire.control import ControlStatus, InterlockNow

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9b", "G-6.11")]
TICK = tick_of_datetime(NOW - timedelta(minutes=5))


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _all_is_well(world: World) -> None:
    for table in (
        "rights_issued",
        "rights_honoured",
        "rights_state",
        "jobs",
        "alarm_occurrences",
        "alarm_desks",
    ):
        world.lab.execute(f"DELETE FROM {table}")
    world.lab.execute("UPDATE commands SET refused = 'lapsed' WHERE approve_until IS NOT NULL")
    for mark in ("here", "there", "alien"):
        tell(world, "healthy", mark=mark)


def tell(world: World, phase: str, *, mark: str = "here", age_s: float = 2) -> int:
    """Have a gateway say how its interlock stands; return its id."""
    one = InterlockNow(name=f"{mark}-room", title=f"Room of {mark}", rule="r", phase=phase, breach=1)
    said = ControlStatus(gateway=f"{mark}-gateway", boot=bytes(16), tick=2, interlocks=(one,))
    at = NOW - timedelta(seconds=age_s)
    ((gateway,),) = world.lab.execute(
        "UPDATE control_status SET body = %s, received_at = %s, heard_at = %s WHERE gateway_id ="
        " (SELECT id FROM gateways WHERE name = %s) RETURNING gateway_id",
        *(encode_body(said), at, at, f"{mark}-gateway"),
    )
    return int(gateway)


def alarms(
    world: World, count: int, *, mark: str = "here", point: str = "air", condition: str = "hi"
) -> None:
    """Have so many alarms stand that nobody acknowledged."""
    place = world.places[mark]
    world.lab.execute(
        "INSERT INTO alarm_occurrences (organisation_id, site_id, point, condition, revision, onset,"
        " raised_at, priority, ack_required, grp, open, known_at, live)"
        " SELECT %s, %s, %s || n, %s, 1, %s, %s, 2, true, 'room', true, %s, true"
        " FROM generate_series(1, %s) n",
        *(place.organisation, place.site, point, condition, TICK, TICK, TICK, count),
    )


def job(world: World, *, mark: str = "here") -> int:
    place = world.places[mark]
    held = Hold(TICK - 100, TICK, ())
    document = Job("J-1", "m", 1, (), (), "room", Span(TICK, TICK + 1), state=JobState.HELD, holds=(held,))
    ((made,),) = world.lab.execute(
        "INSERT INTO jobs (organisation_id, site_id, number, zone, state, planned_from, planned_to, document,"
        " author, made_at) VALUES (%s, %s, 'J-1', 'room', 'held', %s, %s, %s, 'x', %s) RETURNING id",
        *(place.organisation, place.site, NOW, NOW, Jsonb(msgspec.to_builtins(document)), NOW),
    )
    return int(made)


def revoke(world: World, gateway: int) -> None:
    """End a card at a gateway that has not said that it knows."""
    world.lab.execute("INSERT INTO rights_state VALUES (%s, 1, 0, 2)", gateway)
    world.lab.execute("INSERT INTO rights_honoured VALUES (%s, 1, 0, 1, '', %s, %s)", gateway, NOW, NOW)
    world.lab.execute(
        "INSERT INTO rights_issued (gateway_id, organisation_id, incarnation, number, kind, body, issued_at)"
        " VALUES (%s, 1, 0, 1, 'revocation', '', %s), (%s, 1, 0, 2, 'revocation', '', %s)",
        *(gateway, NOW - timedelta(days=1), gateway, NOW - timedelta(minutes=5)),
    )


def look(world: World, path: str = "/", *grants: Grant, code: str = "en") -> tuple[int, list[str], str]:
    """Return the count, the lines without ages, and the page."""
    world.token(*(grants or [Grant(Role.SAFETY, 1)]))
    answer = world.ask(f"{path}?lang={code}", cookies=world.session())
    assert answer.status_code == 200, answer.text
    found = re.search(r'id="needs-count">([^<]*)<', answer.text)
    assert found is not None
    items = re.findall(r"<li data-need=.*?</li>", answer.text, re.DOTALL)
    lines = [re.sub(r"<time.*?</time>", "", one) for one in items]
    return (
        int(found[1]),
        [" | ".join(filter(None, re.findall(r">([^<]*)<", one))) for one in lines],
        answer.text,
    )


def test_now_lists_what_is_tripped_open_held_and_still_honoured(world: World) -> None:
    assert look(world)[:2] == (0, [])
    revoke(world, tell(world, "tripped"))
    alarms(world, 1)
    made = job(world)
    count, lines, page = look(world)
    assert count == len(lines) == 4
    ended = "Ended cards or rights, at gateway here-gateway"
    assert lines == [
        "Held | Job J-1 | room · here site | since 08:55:00 +08:00",
        "Tripped | Interlock: Room of here | here-gateway · here site",
        f"may still be honoured | {ended} | here site | since 08:55:00 +08:00",
        "Unacknowledged | High: air1 | here site | since 08:55:00 +08:00",
    ]
    for href in ("/interlocks/here-gateway/here-room", f"/jobs/{made}", "/doors/gateways?site=here-site"):
        assert f'href="{href}"' in page
    site = look(world, "/sites/here-site")
    assert site[0] == 4
    assert site[1][0] == "Held | Job J-1 | room | since 08:55:00 +08:00"
    assert "需要处理的事项" in look(world, code="zh")[2]
    world.lab.execute("UPDATE rights_issued SET honoured_at = %s", NOW)
    assert look(world)[0] == 3


def test_command_that_waits_is_told_to_who_may_approve_it_and_did_not_ask(world: World) -> None:
    world.lab.execute("UPDATE commands SET refused = '', approve_until = %s", NOW + timedelta(minutes=4))
    lines = [one for one in look(world)[1] if one.startswith("Waits for a second person")]
    assert len(lines) == 2
    assert 'href="/commands/' in look(world)[2]
    assert look(world, "/", Grant(Role.VIEWER, 1))[0] == 0
    who = world.ask("/me?lang=en", cookies=world.session())
    assert who.status_code == 200
    world.lab.execute("UPDATE commands SET asker = (SELECT login FROM accounts ORDER BY id DESC LIMIT 1)")
    assert look(world)[0] == 0


def test_gateway_that_does_not_tell_what_it_controls_is_not_known(world: World) -> None:
    tell(world, "healthy", age_s=31)
    count, lines, page = look(world)
    assert (count, lines) == (
        1,
        ["Not known | What gateway here-gateway controls | here site | since 08:59:29 +08:00"],
    )
    assert 'href="/gateways/here-gateway"' in page


def test_only_what_may_be_seen_is_told(world: World) -> None:
    for mark in ("here", "there", "alien"):
        tell(world, "tripped", mark=mark)
        alarms(world, 3, mark=mark)
    revoke(world, tell(world, "tripped"))
    here = world.places["here"].site
    count, _, page = look(world, "/", Grant(Role.VIEWER, 1, here))
    assert count == 4
    assert "Ended cards" not in page
    assert "there" not in page
    assert look(world, "/", Grant(Role.SAFETY, 1, here))[0] == 5
    assert look(world, "/", Grant(Role.CUSTOMER, 1))[0] == 0
    assert look(world, "/", Grant(Role.VIEWER, 1))[0] == 8
    assert look(world, "/sites/here-site", Grant(Role.VIEWER, 1))[0] == 4


def test_muted_and_acknowledged_alarms_want_nobody_but_urgent_ones_do(world: World) -> None:
    alarms(world, 4)
    alarms(world, 1, condition="tamper")
    shelf = Shelf("air1", Condition.HI, TICK, "x", "y")
    desk = Desk(
        shelves={key_of("air1", Condition.HI): shelf, key_of("air3", Condition.LO): shelf},
        maintenance={"air2": Maintenance(TICK, "x", "y")},
        suppressed={"air3": "no_job", "air1": "no_job"},
    )
    world.lab.execute(
        "INSERT INTO alarm_desks (site_id, organisation_id, desk) VALUES (%s, 1, %s)",
        *(world.places["here"].site, Jsonb(msgspec.to_builtins(desk))),
    )
    count, lines, _ = look(world)
    assert count == 2
    assert [one.split(" | ")[1] for one in lines] == ["Tampered with: air1", "High: air4"]
    world.lab.execute("UPDATE alarm_occurrences SET acknowledged_at = %s, acknowledged_by = 'x'", TICK)
    assert look(world)[0] == 0
    world.lab.execute("UPDATE alarm_occurrences SET priority = 1 WHERE point = 'air4'")
    assert look(world)[1][0].startswith("Acknowledged | High: air4")


def test_storm_of_ten_thousand_alarms_is_counted_and_its_page_stays_short(world: World) -> None:
    """What the database does grows with the number of alarms, and with nothing that is multiplied by it."""
    alarms(world, 10_000)
    muted = {f"air{number}": Maintenance(TICK, "x", "y") for number in range(1, 101)}
    world.lab.execute(
        "INSERT INTO alarm_desks (site_id, organisation_id, desk) VALUES (%s, 1, %s)",
        *(world.places["here"].site, Jsonb(msgspec.to_builtins(Desk(maintenance=muted)))),
    )
    world.lab.execute("ANALYZE alarm_occurrences")
    count, lines, page = look(world)
    assert (count, len(lines)) == (9_900, 9)
    assert "and 9\N{NARROW NO-BREAK SPACE}892 more alarms" in page
    plan = world.lab.run(_plan)
    assert plan["Actual Rows"] == needs.ALARMS_FEW
    assert _touched(plan) < 10 * 10_000


async def _plan(connection: Any) -> Any:
    given = {"site": None, "few": needs.ALARMS_FEW, "urgent": 1, "apart": [], "never_muted": []}
    cursor = await connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + needs._ALARMS, given)
    return (await cursor.fetchone())[0][0]["Plan"]


def _touched(plan: Any) -> int:
    """Return how many rows the steps of a plan gave on or threw away, all together."""
    rows = plan["Actual Rows"] + sum(
        plan.get(name, 0) for name in ("Rows Removed by Filter", "Rows Removed by Join Filter")
    )
    return int(rows * plan["Actual Loops"]) + sum(map(_touched, plan.get("Plans", ())))


def test_open_pages_are_told_with_the_states_of_sites(world: World) -> None:
    """The feed wakes at what a gateway tells, and looks at the rest by itself."""

    async def check() -> list[Any]:
        feed = LiveFeed(world.lab.hub_dsn, now=lambda: NOW)
        ready = asyncio.Event()
        told: list[Any] = []
        async with asyncio.timeout(45), asyncio.TaskGroup() as group:
            running = group.create_task(feed.run(ready.set))
            await ready.wait()
            async for chunk in stream(
                feed, View(language("en"), "here-site"), now=lambda: NOW, broker_connected=lambda: True
            ):
                lines = chunk.decode().splitlines()
                if lines[0] != "event: states":
                    continue
                told.append(json.loads(lines[1].removeprefix("data: "))["needs"])
                if told[-1]["total"]:
                    break
                gateway = tell(world, "tripped")
                async with await AsyncConnection.connect(world.lab.hub_dsn, autocommit=True) as connection:
                    await control_status.wake(connection, gateway)
            running.cancel()
        return told

    before, after = asyncio.run(check())
    assert before == {"total": 0, "lines": []}
    assert [one["text"] for one in after["lines"]] == ["Interlock: Room of here"]


def test_open_pages_of_jobs_ask_for_what_they_show_and_keep_no_session_alive(world: World) -> None:
    token = world.token(Grant(Role.VIEWER, 1))
    world.lab.execute(
        "INSERT INTO limit_sets VALUES (1, 'm', 1, '[]', 1, '{}', 'x', 'y', now()) ON CONFLICT DO NOTHING"
    )
    made = job(world)
    page = world.ask("/jobs?state=held&lang=en", token).text
    found = re.search(r'data-parts="([^"]*)"', page)
    assert found is not None
    source = found[1].replace("&amp;", "&")
    assert source == "/parts/jobs?lang=en&state=held"
    part = world.ask(source, token)
    assert (part.status_code, "J-1" in part.text) == (200, True)
    world.lab.execute("UPDATE jobs SET state = 'finished'")
    assert "J-1" not in world.ask(source, token).text
    assert 'data-part="holds"' in world.ask(f"/parts/jobs/{made}?lang=en", token).text
