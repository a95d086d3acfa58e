"""A gateway whose control is broken says so on the pages of interlocks, and no effect of it looks sound."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.cloud.control.test_pages import PAGE, look, tell
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from wire.codec import decode_body, encode_body
from wire.control import ControlStatus, EffectNow, FaultNow

pytestmark = pytest.mark.requirement("G-6.9b")
FAULTS = (
    FaultNow(part="interlock output doors/source: safe", reason="TypeError: contained() got a keyword"),
    FaultNow(part="regulation", reason="the next reading came late", at_ms=round(NOW.timestamp() * 1000)),
)
NOTICE = "Control of gateway here-gateway is broken"


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as opened:
        yield opened


def break_control(world: World, *, age_s: float = 2) -> None:
    """Have the gateway tell that what sets an output ends by a bug."""
    effects = (EffectNow(kind="inhibit_output", target="doors/source", safe=True),)
    tell(world, "tripped", effects=effects)
    ((body,),) = world.lab.execute(
        "SELECT c.body FROM control_status c JOIN gateways g ON g.id = c.gateway_id"
        " WHERE g.name = 'here-gateway'"
    )
    said = replace(decode_body(bytes(body), ControlStatus), faults=FAULTS)
    world.lab.execute(
        "UPDATE control_status SET body = %s, heard_at = %s WHERE gateway_id ="
        " (SELECT id FROM gateways WHERE name = 'here-gateway')",
        *(encode_body(said), NOW - timedelta(seconds=age_s)),
    )


def test_interlock_of_a_gateway_whose_control_is_broken_says_so_with_what_fails(world: World) -> None:
    break_control(world)
    for path in (PAGE, "/interlocks"):
        page = look(world, path)
        assert NOTICE in page
        assert "output doors/source: making it safe fails" in page
        assert "contained() got a keyword" in page
    assert "which is not read back" not in look(world)
    assert "Not known: what sets it or reads it back fails" in look(world)
    assert "控制功能失效" in look(world, language="zh")
    assert '<span class="quiet" lang="en">TypeError' in look(world, language="zh")


def test_fault_that_was_told_long_ago_is_no_state_of_now(world: World) -> None:
    break_control(world, age_s=31)
    assert NOTICE not in look(world)
    assert "Nobody knows how the interlock stands" in look(world)
    tell(world, "tripped")
    assert NOTICE not in look(world)
