"""A credential is given to who decides and told by its hash, in one way for every kind of reader."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.credential import KEY_FILE, Credential, Presented, key_id
from edge.driver import DeviceUnavailable, Given
from edge.presenting import Door, Presenter, presenter
from wire.status import GapCause

KEY = bytes(range(32))
CARD = Credential("card", "h10301", "54321", 118)
S = 1_000_000_000


def at_door(work: Callable[[Door], Any], presented: Callable[[Presented], None] = lambda _: None) -> Any:
    """Do something at a door, let the loop turn, and return what came of it."""

    async def story() -> Any:
        given = Given(lambda: 0, presented=presented)
        found = work(Door("door/entry", Presenter(given, KEY), pin_timeout_s=5))
        await asyncio.sleep(0)
        return found

    return asyncio.run(story())


@pytest.mark.requirement("G-6.4b")
def test_card_is_given_whole_and_told_by_its_hash() -> None:
    seen: list[Presented] = []
    event = at_door(lambda door: door.card(CARD, 26, 3 * S), seen.append)
    assert seen == [Presented("door/entry", CARD, 3 * S)]
    assert (event.kind, event.subject, event.tick) == ("card_read", "door/entry", 300)
    assert event.data == {
        "format": "h10301",
        "bits": 26,
        "masked": "…21",
        "token": CARD.token(KEY),
        "key_id": key_id(KEY),
    }
    assert "54321" not in repr((event, seen))


def test_who_decides_is_told_of_a_card_that_may_have_been_shown_long_ago() -> None:
    seen: list[Presented] = []

    async def story() -> None:
        given = Given(lambda: 0, doubt_ms={300: 30_000}.get, presented=seen.append)
        door = Door("door/entry", Presenter(given, KEY), pin_timeout_s=5)
        door.card(CARD, 26, 3 * S)
        door.card(CARD, 26, 4 * S)
        await asyncio.sleep(0)

    asyncio.run(story())
    assert [one.doubt_ms for one in seen] == [30_000, None]


@pytest.mark.requirement("G-6.4b")
def test_keys_become_a_pin_and_all_else_is_told_as_dropped() -> None:
    seen: list[Presented] = []
    events = at_door(lambda door: [*door.keys("58", 0), *door.keys("3746#9*1#", S)], seen.append)
    assert [one.credential for one in seen] == [Credential("pin", "keypad", "583746")]
    assert [(event.kind, event.data.get("reason")) for event in events] == [
        ("pin_entered", None),
        ("pin_dropped", "cleared"),
        ("pin_dropped", "length"),
    ]
    assert "583746" not in repr((events, seen))


def test_keys_that_wait_too_long_are_dropped_once() -> None:
    def work(door: Door) -> Any:
        door.keys("47", S)
        assert door.due_ns == 6 * S
        return [*door.expire(6 * S - 1), *door.expire(6 * S), *door.expire(7 * S)]

    (event,) = at_door(work)
    assert (event.kind, event.data) == ("pin_dropped", {"reason": "timeout"})


def test_who_fails_to_decide_costs_no_event() -> None:
    def fails(presented: Presented) -> None:
        raise KeyError(presented)

    failures: list[dict[str, Any]] = []

    def work(door: Door) -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        return door.card(CARD, 26, 0)

    assert at_door(work, fails).kind == "card_read"
    assert len(failures) == 1
    assert "54321" not in str(failures)


def test_unfit_key_makes_the_device_unavailable(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(DeviceUnavailable, match="5 bytes") as caught:
        asyncio.run(presenter(Given(lambda: 0, tmp_path)))
    assert caught.value.cause is GapCause.GATEWAY
