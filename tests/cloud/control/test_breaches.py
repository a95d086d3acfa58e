"""The page of an interlock lists its past breaches: why each tripped, who let it go, and when."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cloud.store.breaches import LISTED
from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from wire.codec import encode_body
from wire.control import ControlStatus, InterlockNow

PAGE = "/interlocks/here-gateway/here-room"
WHY = "air: no good reading for 15 s"


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as opened:
        yield opened


@pytest.fixture(autouse=True)
def known(world: World) -> None:
    now = InterlockNow(name="here-room", title="Room", rule="r", phase="healthy", breach=9)
    said = ControlStatus(gateway="here-gateway", boot=bytes(16), tick=2, interlocks=(now,))
    world.lab.execute("DELETE FROM events")
    world.lab.execute(
        "UPDATE control_status SET body = %s, received_at = %s, heard_at = %s WHERE gateway_id ="
        " (SELECT id FROM gateways WHERE name = 'here-gateway')",
        *(encode_body(said), NOW, NOW),
    )


def told(world: World, kind: str, minute: float, *, subject: str = "here-room", **data: Any) -> None:
    world.lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " SELECT organisation_id, id, NULL, %s, %s, %s, %s::jsonb FROM gateways WHERE name = 'here-gateway'",
        *(NOW - timedelta(days=2) + timedelta(minutes=minute), f"interlock_{kind}", subject),
        json.dumps(data),
    )


def rows(world: World, language: str = "en") -> list[str]:
    world.token(Grant(Role.VIEWER, 1))
    page = world.ask(f"{PAGE}?lang={language}", cookies=world.session())
    assert page.status_code == 200, page.text
    part = page.text[page.text.index('data-part="breaches"') :]
    return part[: part.index("</section>")].split("<tr>")[2:]


def test_breaches_are_listed_newest_first_with_reason_and_who_let_them_go(world: World) -> None:
    told(world, "tripped", 1, breach=1, first_out="@state_lost")
    told(world, "acknowledged", 2, breach=1, by="1001")
    told(world, "acknowledged", 3, breach=1, by="1002")
    told(world, "reset", 4, breach=1, by="1003")
    told(world, "enabled", 5, breach=1, by="1004")
    told(world, "tripped", 6, breach=2, first_out="hot", words=WHY)
    told(world, "acknowledged", 7, breach=2, by="1005", subject="another")
    newest, oldest = rows(world)
    assert WHY in newest
    assert "not enabled yet" in newest
    assert "1005" not in newest
    assert "it started without a record of how it stood before" in oldest
    for who in ("1002", "1003", "Enabled · 1004"):
        assert who in oldest
    assert "1001" not in oldest
    assert "air: 已 15 s 没有有效读数" in rows(world, "zh")[0]


def test_breach_that_nobody_let_go_before_the_next_is_not_credited_with_its_acts(world: World) -> None:
    told(world, "tripped", 1, breach=1, first_out="hot")
    told(world, "tripped", 2, breach=2, first_out="@asked", by="1001")
    told(world, "acknowledged", 3, breach=2, by="1002")
    newest, oldest = rows(world)
    assert "a person or a command asked for it" in newest
    assert "1001" in newest
    assert "1002" in newest
    assert "tripped anew" in oldest
    assert "1002" not in oldest


def test_list_of_breaches_has_an_end_and_says_when_there_is_none(world: World) -> None:
    assert rows(world) == []
    for minute in range(LISTED + 5):
        told(world, "tripped", minute, breach=minute, first_out="hot")
    listed = rows(world)
    assert len(listed) == LISTED
    assert f" {LISTED + 4}</span>" in listed[0]
