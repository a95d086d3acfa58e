"""What people do while the demo is checked: show cards, open doors, carry a badge out, use an instrument.

They do it at the simulated devices, over the control port of the simulators, and remember when. It judges
nothing.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.demo.asking import at_of, items
from cli.demo.system import System
from simulators.scenario import GatewayPart, load_scenario

RESTS_S, USED_S = 6.0, 4.0
"""A gateway needs two seconds to be sure of an end, and one of a beginning; on a busy machine more."""
_ANSWER_S = 20.0
_LIVE_S, _LOOK_S = 15.0, 0.5


@dataclass(frozen=True, slots=True)
class Card:
    """A card at a reader."""

    gateway: str
    subject: str
    number: str
    at: float
    """UTC, seconds; as everywhere here."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A door that was opened from within."""

    gateway: str
    subject: str
    at: float


@dataclass(frozen=True, slots=True)
class Carried:
    """A badge that was taken away and brought back."""

    gateway: str
    subject: str
    away_at: float
    back_at: float


@dataclass(frozen=True, slots=True)
class Used:
    """An instrument that was switched on for a while."""

    gateway: str
    subject: str
    from_at: float
    to_at: float


@dataclass(slots=True)
class Day:
    """Everything that people did."""

    cards: list[Card] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)


async def act(system: System) -> Day:
    """Do everything that can be done with the demo's devices, in about 20 s; `ValueError`, `OSError`.

    They wait until the gateway has the device, as people would who look at its lamp.
    """
    day = Day()
    async with asyncio.TaskGroup() as tasks:
        for gateway in load_scenario("demo").gateway:
            tasks.create_task(_at_doors(system, gateway, day))
            tasks.create_task(_with_a_badge(system, gateway, day))
            tasks.create_task(_at_a_meter(system, gateway, day))
    return day


async def _at_doors(system: System, gateway: GatewayPart, day: Day) -> None:
    for line in gateway.osdp:
        for reader in line.readers:
            subject = f"{line.prefix or line.name}/{reader}"
            await _until_live(system, gateway.id, f"{subject}/link", value="1")
            at = time.time()
            told = await _do(system, f"{gateway.id}/{line.name}/{reader}", "card")
            day.cards.append(Card(gateway.id, subject, str(told["number"]), at))
    for camera in gateway.camera if any(board.doors for board in gateway.gpio) else []:
        await _until_live(system, gateway.id, f"{camera.prefix or camera.name}/frame_rate")
    for board in gateway.gpio:
        for door in board.doors:
            at = time.time()
            await _do(system, f"{gateway.id}/{board.name}/{door}", "open")
            day.opened.append(Opened(gateway.id, f"{board.prefix or board.name}/{door}", at))


async def _with_a_badge(system: System, gateway: GatewayPart, day: Day) -> None:
    for radio in gateway.ble:
        for badge in [*radio.badges, *radio.tags][:1]:
            place, subject = f"{gateway.id}/{radio.name}/{badge}", f"{radio.zone or radio.name}/{badge}"
            presence = f"{subject}/presence"
            await _do(system, place, "here")
            await _until_live(system, gateway.id, presence, value="1")
            away_at = time.time()
            await _do(system, place, "away")
            await _until_live(system, gateway.id, presence, value="0", since=away_at)
            back_at = time.time()
            await _do(system, place, "here")
            await _until_live(system, gateway.id, presence, value="1", since=back_at)
            await _do(system, place, "leave")
            day.carried.append(Carried(gateway.id, subject, away_at=away_at, back_at=back_at))


async def _at_a_meter(system: System, gateway: GatewayPart, day: Day) -> None:
    for line in gateway.modbus:
        for unit in line.units:
            if not unit.uses:
                continue
            place = f"{gateway.id}/{line.name}/{unit.address}"
            await _do(system, place, "rest")
            await asyncio.sleep(RESTS_S)
            from_at = time.time()
            await _do(system, place, "use")
            await asyncio.sleep(USED_S)
            to_at = time.time()
            await _do(system, place, "rest")
            await asyncio.sleep(RESTS_S)
            await _do(system, place, "leave")
            day.used.append(Used(gateway.id, unit.uses, from_at=from_at, to_at=to_at))


async def _until_live(
    system: System, gateway: str, point: str, *, value: str | None = None, since: float = 0.0
) -> None:
    """Wait until a point was read in this run, and `since`, and is live with this value.

    `ValueError` says what it is.
    """
    state, since = "not declared", max(since, system.since)
    for _ in range(round(_LIVE_S / _LOOK_S)):
        for row in await items(system, "/api/latest"):
            if (row["point"]["site"], row["point"]["name"]) == (gateway, point):
                state = f"{row['state']} {row['value']}"
                if row["state"] == "live" and at_of(row) >= since and value in (None, row["value"]):
                    return
        await asyncio.sleep(_LOOK_S)
    raise ValueError(f"{gateway} {point} is {state} after {_LIVE_S:.0f} s: expected {value or 'a value'}")


async def _do(system: System, place: str, what: str) -> Mapping[str, Any]:
    """Have it done and return what was told of it; `ValueError` when it cannot be."""
    port = json.loads((system.simulators / "ports.json").read_text(encoding="utf-8"))["control"]
    async with asyncio.timeout(_ANSWER_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(json.dumps({"device": place, "do": what}).encode() + b"\n")
            told: Mapping[str, Any] = json.loads(await reader.readline())
        finally:
            writer.close()
    if not told["ok"]:
        raise ValueError(f"{what} {place}: {told['error']}")
    return told
