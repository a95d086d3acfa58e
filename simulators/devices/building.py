"""A building with doors on a gateway's pins, terminals beside them and SenML sensors in its rooms, lived in.

People leave by the button, doors open and bounce, an ignition follows a vehicle's drive; terminals see
people, sensors measure. Everything depends on the seed alone, but for how long the machine takes.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simulators.devices.gpio import Board, Relay, running_board
from simulators.devices.lan_broker import lan_broker
from simulators.devices.senml import Sensor, Truth
from simulators.devices.terminal import MODES, Terminal
from simulators.processes import free_port
from simulators.scenario import GpioPart, SenmlPart, Table, TerminalPart

FIRE, IGNITION = 26, 27
FIRST_PIN = 2
USED_S = (10.0, 60.0)
"""So long is a door left alone."""
OPEN_S = 1.5
"""So long does somebody hold a door open who comes in."""
MEASURE_S = 4.0
HEARTBEAT_S = 20.0
KNOCK_S = 2.0
"""How often a terminal that was switched on tries to reach its gateway."""
Life = Coroutine[object, object, None]


@dataclass(frozen=True, slots=True)
class Door:
    """The four pins of a door."""

    name: str
    contact: int
    button: int
    lock: int
    lock_contact: int


def doors_of(part: GpioPart) -> list[Door]:
    """Return the doors of a part, on pins from `FIRST_PIN` on."""
    return [
        Door(name, *range(FIRST_PIN + 4 * place, FIRST_PIN + 4 * place + 4))
        for place, name in enumerate(part.doors)
    ]


def relays_of(part: GpioPart) -> list[tuple[str, int, int]]:
    """Return name, pin and contact pin of the relays of a part, behind those of its doors."""
    first = FIRST_PIN + 4 * len(part.doors)
    return [(name, first + 2 * place, first + 2 * place + 1) for place, name in enumerate(part.relays)]


def gpio_table(part: GpioPart) -> Table:
    """Return the settings table of a part."""
    inputs: list[Table] = []
    outputs: list[Table] = []
    for door in doors_of(part):
        inputs.append({"name": f"{door.name}/contact", "kind": "door_contact", "pin": door.contact})
        inputs.append({"name": f"{door.name}/button", "kind": "request_to_exit", "pin": door.button})
        outputs.append(
            {"name": f"{door.name}/lock", "kind": "relay", "pin": door.lock, "contact_pin": door.lock_contact}
        )
    for name, pin, contact in relays_of(part):
        outputs.append({"name": name, "kind": "relay", "pin": pin, "contact_pin": contact})
    if part.doors:
        inputs.append({"name": "fire", "kind": "fire_release", "pin": FIRE})
    if part.ignition:
        inputs.append({"name": "ignition", "kind": "ignition", "pin": IGNITION})
    prefix = part.prefix or part.name
    return {"driver": "gpio", "name": part.name, "prefix": prefix, "input": inputs, "output": outputs}


@asynccontextmanager
async def _alive(lives: Sequence[Life]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(life) for life in lives]
        try:
            yield
        finally:
            for one in running:
                one.cancel()


@asynccontextmanager
async def doors_and_ignition(
    part: GpioPart, folder: Path, *, seed: str, driving: Callable[[], bool]
) -> AsyncIterator[Board]:
    """Play a board with these doors and this ignition while the context is open."""
    doors = doors_of(part)
    relays = [Relay(door.lock, door.lock_contact) for door in doors]
    relays += [Relay(pin, contact) for _, pin, contact in relays_of(part)]
    async with running_board(folder, relays) as board:
        board.drive(FIRE, 0)
        for door in doors:
            board.drive(door.contact, 0)
            board.asked[door.name] = asyncio.Event()
        lives: list[Life] = [_use(board, door, random.Random(f"{seed}/{door.name}")) for door in doors]
        lives += [_turn_key(board, driving)] if part.ignition else []
        lives += [_come_in(board, doors)] if doors else []
        async with _alive(lives):
            yield board


async def _use(board: Board, door: Door, chance: random.Random) -> None:
    """Now and then, and when asked, somebody presses the button, opens the door and lets it fall shut."""
    asked = board.asked[door.name]
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), chance.uniform(*USED_S))
        asked.clear()
        board.drive(door.button, 0)
        await asyncio.sleep(chance.uniform(0.1, 0.5))
        board.drive(door.button, None)
        await asyncio.sleep(chance.uniform(0.5, 2))
        await board.bounce(door.contact, 1, edges=2 * chance.randrange(4) + 1)
        await asyncio.sleep(chance.uniform(2, 8))
        await board.bounce(door.contact, 0, edges=2 * chance.randrange(8) + 1)


async def _come_in(board: Board, doors: Sequence[Door]) -> None:
    """Open a door from outside when asked, and let it fall shut."""
    contacts = {door.name: door.contact for door in doors}
    while True:
        contact = contacts[await board.doing.get()]
        await board.bounce(contact, 1, edges=3)
        await asyncio.sleep(OPEN_S)
        await board.bounce(contact, 0, edges=3)


async def _turn_key(board: Board, driving: Callable[[], bool]) -> None:
    while True:
        board.drive(IGNITION, int(driving()))
        await asyncio.sleep(0.2)


def write_key(file: Path, seed: str) -> str:
    """Write and return a sender's key that only depends on `seed`; the gateway wants it at its own place."""
    key = hashlib.sha256(seed.encode()).hexdigest()[:43]
    file.touch(mode=0o600)
    file.write_text(key + "\n", encoding="ascii")
    return key


def first_count(utc_s: Callable[[], float]) -> int:
    """Return a count of requests that no earlier run has reached: gateways take no number twice."""
    return int(utc_s() * 100)


@asynccontextmanager
async def terminals(
    part: TerminalPart, folder: Path, *, seed: str, utc_s: Callable[[], float] = time.time, port: int = 0
) -> AsyncIterator[tuple[list[Terminal], Table]]:
    """Run terminals that see people while the context is open; keys are written to `folder`.

    The gateway listens on `port`, on one that is free now when it is 0.
    """
    port = port or free_port()
    found = [
        Terminal(
            name,
            port,
            write_key(folder / f"{name}.key", f"{seed}/{name}"),
            seed=place,
            signs=place % 2 == 1,
            form=place % 2 == 1,
            counter=first_count(utc_s),
        )
        for place, name in enumerate(part.terminals)
    ]
    table: Table = {
        "driver": "terminal",
        "name": part.name,
        "prefix": part.name,
        "silence_s": 60,
        "http": {"address": "127.0.0.1", "port": port, "path": "/events"},
        "sender": [{"name": one.name, "auth": "hmac" if one.signs else "token"} for one in found],
        "map": {
            "person": "/info/userId",
            "event": "/eventType",
            "events": ["verify"],
            "factor": "/info/verifyMode",
            "factors": {str(number): mode for mode, number in MODES.items()},
            "result": "/info/status",
            "results": {"0": "granted"},
            "door": "/info/doorNo",
            "time": "/info/time",
        },
    }
    lives = [_see(one, random.Random(f"{seed}/{one.name}/people")) for one in found]
    async with _alive(lives):
        yield found, table


async def _see(terminal: Terminal, chance: random.Random) -> None:
    people = [str(chance.randrange(100_000, 999_999)) for _ in range(6)]
    known = False
    while True:
        await asyncio.sleep(chance.uniform(HEARTBEAT_S / 4, HEARTBEAT_S) if known else KNOCK_S)
        if not known or chance.random() < 0.5:
            known = bool(await terminal.heartbeat()) or known
        else:
            mode = chance.choice(sorted(MODES))
            await terminal.identify(chance.choice(people), mode, granted=chance.random() < 0.9)


@asynccontextmanager
async def senml_sensors(
    part: SenmlPart,
    folder: Path,
    *,
    seed: str,
    truth: Callable[[str], Truth],
    utc_s: Callable[[], float],
    port: int = 0,
) -> AsyncIterator[tuple[list[Sensor], Table]]:
    """Run a sensor in each room, over HTTP or with a broker of their own, while the context is open.

    The broker listens on `port`, or else the gateway; on one that is free now when it is 0.
    """
    found = [
        Sensor(f"room:{room}", truth(room), seed=place, utc_s=utc_s if place % 2 else None)
        for place, room in enumerate(part.rooms)
    ]
    values = list(_values(part, found))
    table: Table = {"driver": "senml", "name": part.name, "prefix": part.name, "value": values}
    async with AsyncExitStack() as stack:
        if part.mqtt:
            port = await stack.enter_async_context(lan_broker(folder, port=port))
            table["mqtt"] = {"host": "127.0.0.1", "port": port, "topics": ["sensors/+/senml"]}
            lives = [_publish(one, port, f"sensors/{one.seed}/senml") for one in found]
        else:
            port = port or free_port()
            key = write_key(folder / "rooms.key", seed)
            line = Terminal("rooms", port, key, path="/senml", signs=True, counter=first_count(utc_s))
            table["http"] = {"address": "127.0.0.1", "port": port, "path": "/senml"}
            table["sender"] = [{"name": "rooms", "auth": "hmac"}]
            lives = [_post(found, line, random.Random(f"{seed}/post"))]
        await stack.enter_async_context(_alive(lives))
        yield found, table


def _values(part: SenmlPart, found: Sequence[Sensor]) -> Iterator[Table]:
    for room, one in zip(part.rooms, found, strict=True):
        for quantity in one.quantities:
            yield {
                "name": f"{one.name}:{quantity}",
                "point": f"{room}/{quantity}",
                "quantity": quantity,
                "step": 0.01,
                "silence_s": 60,
            }


async def _post(sensors: Sequence[Sensor], line: Terminal, chance: random.Random) -> None:
    """Post each sensor's readings one after the other: a signing sender counts its requests."""
    now_s = asyncio.get_running_loop().time
    while True:
        for one in sensors:
            one.measure(now_s())
            await one.post(line, now_s())
        await asyncio.sleep(chance.uniform(MEASURE_S / 2, MEASURE_S))


async def _publish(sensor: Sensor, port: int, topic: str) -> None:
    now_s = asyncio.get_running_loop().time
    while True:
        sensor.measure(now_s())
        await sensor.publish(port, topic, now_s())
        await asyncio.sleep(MEASURE_S)
