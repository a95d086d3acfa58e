"""Commands that set outputs: what is on the disk when, by how many commits, and what is told in the end."""

import asyncio
from collections.abc import Callable

import pytest

from tests.edge.command.test_desk import Stand, command, run, turns

ON, OFF = ({"output": "power", "value": value} for value in ("1", "0"))


def test_command_that_permits_is_on_the_disk_with_what_it_asks_for_by_one_commit() -> None:
    async def story(stand: Stand) -> None:
        stand.device.apart_s = 60.0
        stand.started()
        stand.device.counts = 0
        async with stand.running():
            stand.give(command(1, "output.set", arguments=ON))

    stand = run(story)
    assert stand.states == ["accepted", "executed"]
    assert stand.device.at_write == [(1, ["command_receipt", "output_asked"])]
    assert (stand.commits, stand.kinds[2:]) == (2, ["output_set", "command_receipt"])


def test_command_that_makes_safe_is_answered_after_one_commit() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            stand.give(command(1, "output.set", arguments=OFF))

    stand = run(story)
    assert stand.states == ["accepted", "executed"]
    assert stand.device.at_write == [(0, [])]
    assert (stand.commits, stand.kinds) == (1, ["output_set", "command_receipt", "command_receipt"])
    assert [data["state"] for kind, data in stand.told if kind == "command_receipt"] == [
        "accepted",
        "executed",
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda stand: setattr(stand, "ms", 11_000), "expired late"),
        (lambda stand: setattr(stand, "held", "the interlock holds it"), "refused interlock"),
        (lambda stand: setattr(stand, "disk_full", True), "refused disk"),
    ],
)
def test_output_that_was_asked_for_and_not_set_in_the_end_is_told_as_failed(
    change: Callable[[Stand], None], state: str
) -> None:
    async def story(stand: Stand) -> None:
        stand.slow = asyncio.Event()
        async with stand.running():
            stand.give(command(1, "output.set", arguments=ON))
            await turns()
            assert stand.kinds == ["command_receipt", "output_asked"]
            change(stand)
            stand.slow.set()

    stand = run(story)
    assert stand.device.written == []
    assert stand.states[-1] == state
    assert stand.kinds[2:] == ["output_failed", "command_receipt"]
    assert stand.told[2][1]["reason"] == "its command was not carried out"


def test_output_whose_safe_state_is_asked_for_while_the_disk_is_waited_for_stays_safe() -> None:
    async def story(stand: Stand) -> None:
        stand.slow = asyncio.Event()
        async with stand.running():
            stand.give(command(1, "output.set", arguments=ON))
            await turns()
            await stand.outputs.make_safe("power", by="interlock")
            stand.slow.set()

    stand = run(story)
    assert stand.device.written == [0]
    assert stand.receipts[-1].text == "power: its safe state was asked for meanwhile"


def test_what_is_refused_at_once_is_not_told_as_asked_for() -> None:
    async def story(stand: Stand) -> None:
        async with stand.running():
            stand.give(command(1, "output.set", arguments={**ON, "value": "2"}))
            stand.give(command(2, "output.set", arguments={**ON, "output": "lamp"}))

    stand = run(story)
    assert sorted(stand.states) == ["accepted"] * 2 + ["refused not_possible"] * 2
    assert set(stand.kinds) == {"command_receipt"}
