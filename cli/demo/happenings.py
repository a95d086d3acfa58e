"""Questions about what happened: whether what people did at the devices became the right events."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from cli.demo import given_out
from cli.demo.asking import Happened, Stretch, WrongError, at_of, events, items, readings
from cli.demo.people import RESTS_S, Card, Carried, Day, Opened, Used
from cli.demo.system import System
from simulators.scenario import load_scenario

EARLY_S = 0.2
"""So much may clocks differ: a gateway's clock has a bound of some ten milliseconds."""
AT_ONCE_S = 1.0
WALK_S = 25.0
"""So long take two who press the button, open the door and let it fall shut, one after the other."""
BROUGHT_S = 15
"""So soon are pictures brought to the hub."""
BACK_S = 10.0
"""So soon is a badge noticed that is back, however busy the machine is."""
SHOWN = 2
"""So many digits of a card's number may be seen."""
RARE_S = 16.0
"""In so long comes a reading of what is read rarely, whenever the stretch begins."""


async def cards(system: System, day: Day) -> str:
    """Each card that was shown is one event of its reader, at once and without its number."""
    slowest = 0.0
    for card in day.cards:
        seen = [one for one in await _after(system, card, AT_ONCE_S) if one.kind == "card_read"]
        mine = [one for one in seen if one.data["masked"] == "…" + card.number[-SHOWN:]]
        if len(mine) != 1:
            raise WrongError(f"{card.gateway} {card.subject}: {len(mine)} events of one card")
        if card.number in str(mine[0].data):
            raise WrongError(f"{card.gateway} {card.subject}: the event holds the card's number")
        slowest = max(slowest, mine[0].at - card.at)
    return f"{_some(day.cards)} cards at {len(day.cards)} readers, at most {slowest * 1000:.0f} ms later"


async def doors(system: System, day: Day) -> str:
    """Each door that somebody opened from within told button, opening and closing, in this order."""
    for opened in day.opened:
        while not _in_order(kinds := [one.kind for one in await _after(system, opened, WALK_S)]):
            if time.time() > opened.at + WALK_S:
                raise WrongError(f"{opened.gateway} {opened.subject}: told {', '.join(kinds) or 'nothing'}")
            await asyncio.sleep(1)
    return f"{_some(day.opened)} doors: {', '.join(_DOOR)}"


_DOOR = ("exit_requested", "door_opened", "door_closed")


def _in_order(kinds: Sequence[str]) -> bool:
    told = iter(kinds)
    return all(kind in told for kind in _DOOR)


async def badges(system: System, day: Day) -> str:
    """Each badge or tag that was carried away left its zone, and entered it when it was brought back."""
    told = []
    for carried in day.carried:
        left = await _one(system, carried, "zone_left", fits=_between(carried.away_at, carried.back_at))
        entered = await _one(
            system, carried, "zone_entered", fits=_between(carried.back_at, carried.back_at + BACK_S)
        )
        told.append(
            f"{carried.subject} left after {left.at - carried.away_at:.1f} s,"
            f" back after {entered.at - carried.back_at:.1f} s"
        )
    _some(day.carried)
    return "; ".join(told)


async def sessions(system: System, day: Day) -> str:
    """Each use of an instrument is one session, as long as it was used, with its energy."""
    told = []
    for used in day.used:
        started = await _one(system, used, "usage_started", fits=_between(used.from_at, used.to_at))
        ended = await _one(system, used, "usage_ended", fits=_between(used.to_at, used.to_at + RESTS_S))
        lasted, energy = float(ended.data["duration_s"]), ended.data["energy"]
        if started.data["session"] != ended.data["session"] or energy is None:
            raise WrongError(f"{used.subject}: {dict(started.data)} and {dict(ended.data)}")
        if abs(lasted - (used.to_at - used.from_at)) > 2.5:
            raise WrongError(f"{used.subject}: used {used.to_at - used.from_at:.1f} s, told {lasted:.1f} s")
        told.append(f"{used.subject}: session {ended.data['session']} of {lasted:.1f} s")
    _some(day.used)
    return "; ".join(told)


async def cameras(system: System, stretch: Stretch) -> str:
    """Each camera gives heartbeats, and each picture that was told comes to the hub with the hash told."""
    pictures = beats = 0
    for gateway in load_scenario("demo").gateway:
        told = [one for one in await events(system, gateway.id, stretch) if one.kind == "picture"]
        for camera in gateway.camera:
            subject = camera.prefix or camera.name
            mine = {str(one.data["sha256"]) for one in told if one.subject == subject}
            if not mine:
                raise WrongError(f"{gateway.id} {subject}: no picture")
            for sha256 in mine:
                await _brought(system, sha256)
            pictures += len(mine)
            beats += len(await _newest(system, gateway.id, f"{subject}/frame_rate", to_at=stretch.to_at))
    return f"{pictures} pictures with their hash, {beats} heartbeats"


async def _brought(system: System, sha256: str) -> None:
    """Wait a little until a picture is at the hub; `WrongError` when it is not, or is another one."""
    status = 0
    for _ in range(BROUGHT_S):
        status, picture = await system.visitor.get_bytes(f"/api/media/{sha256}")
        if status == 200:
            break
        await asyncio.sleep(1)
    if status != 200:
        raise WrongError(f"picture {sha256}: status {status} after {BROUGHT_S} s")
    if (found := hashlib.sha256(picture).hexdigest()) != sha256:
        raise WrongError(f"picture {sha256} has the hash {found}")


async def ignition(system: System, stretch: Stretch) -> str:
    """Each ignition is on while its vehicle drives, and off while it is parked."""
    told = []
    for one in given_out.ignitions("demo"):
        rows = await _newest(system, one.gateway, one.point, to_at=stretch.to_at)
        for row in rows:
            at = at_of(row)
            due = {one.driving(at - AT_ONCE_S), one.driving(at + EARLY_S)}
            if (row["value"] == "1") not in due:
                raise WrongError(f"{one.gateway} {one.point} is {row['value']} at {row['observed_at']}")
        told.append(f"{one.gateway} is {'driving' if one.driving(at_of(rows[-1])) else 'parked'}")
    return ", ".join(told)


async def _newest(system: System, gateway: str, name: str, *, to_at: float) -> list[dict[str, Any]]:
    """Return the last readings of a point; `WrongError` when there is none."""
    points = await items(system, "/api/points")
    ids = [row["id"] for row in points if (row["site"], row["name"]) == (gateway, name)]
    rows = await readings(system, ids[0], Stretch(to_at - RARE_S, to_at)) if ids else []
    if not rows:
        raise WrongError(f"{gateway} {name}: no reading in {RARE_S:.0f} s")
    return rows


# --- what people did, in what was told ----------------------------------------------------------------


def _between(from_at: float, to_at: float) -> Callable[[Happened], bool]:
    return lambda one: from_at - EARLY_S <= one.at <= to_at + AT_ONCE_S


async def _one(
    system: System, done: Carried | Used, kind: str, *, fits: Callable[[Happened], bool]
) -> Happened:
    """Return the only event of a kind that fits; `WrongError`."""
    begin = done.away_at if isinstance(done, Carried) else done.from_at
    told = await events(system, done.gateway, Stretch(begin - EARLY_S, begin + 60))
    found = [one for one in told if (one.kind, one.subject) == (kind, done.subject) and fits(one)]
    if len(found) != 1:
        raise WrongError(f"{done.gateway} {done.subject}: {len(found)} events {kind}, expected one")
    return found[0]


async def _after(system: System, done: Card | Opened, within_s: float) -> Sequence[Happened]:
    """Return what was told of something right after somebody did it."""
    told = await events(system, done.gateway, Stretch(done.at - EARLY_S, done.at + within_s))
    return [one for one in told if one.subject == done.subject or one.subject.startswith(f"{done.subject}/")]


def _some(done: Sequence[object]) -> int:
    if not done:
        raise WrongError("nobody did anything: expected devices for it in the demo")
    return len(done)
