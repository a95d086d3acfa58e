"""Broker, hub or sensor die: what protects goes on, and afterwards every reading is stored or explained."""

import asyncio
import time

from cli.demo.asking import Stretch
from cli.demo.control import CLIMATE
from cli.demo.stories.interlocks import is_healthy, trips_of
from cli.demo.stories.teller import NotSeenError, Teller

GATEWAYS = ("lab-1", "mobile-1", "vehicle-1")
SILENT_S = 8.0
CLOSED_S = 90.0
MARGIN_S = 4.0
"""So long may the newest readings be on their way."""
_SENSOR, _UNIT = "lab-1/room-2", 240


async def kill_broker(teller: Teller) -> None:
    """Kill the broker; it is started again, and nothing tripped and nothing is lost by it."""
    await _kill(teller, "broker")


async def kill_hub(teller: Teller) -> None:
    """Kill the hub; the same."""
    await _kill(teller, "hub")


async def kill_sensor(teller: Teller) -> None:
    """Silence one of three sensors of room 2: it votes, and does not trip alone; its gap is explained."""
    await is_healthy(teller, "lab-1", CLIMATE)
    began = time.time()
    teller.tell("the sensor room-2/air falls silent")
    await teller.switch(_SENSOR, "silence", unit=_UNIT)
    try:

        async def votes() -> str | None:
            now = await teller.interlock("lab-1", CLIMATE)
            cause = next(one for one in now["causes"] if one["name"] == "air")
            return f"phase {now['phase']}" if cause.get("votes") and cause.get("stale") else None

        await teller.see("it is stale and votes; two of three are needed", votes, within_s=60)
        if (await teller.interlock("lab-1", CLIMATE))["phase"] != "healthy":
            raise NotSeenError("one silent sensor of three: tripped: expected healthy")
    finally:
        teller.tell("the sensor is heard again")
        await teller.switch(_SENSOR, "", unit=_UNIT)
    await _closes(teller, began)


async def _kill(teller: Teller, part: str) -> None:
    await is_healthy(teller, "lab-1", CLIMATE)
    began = time.time()
    pid = teller.kill(part)
    teller.tell(f"the {part} (process {pid}) is killed")
    await teller.until_new(part, pid)
    await asyncio.sleep(SILENT_S)

    async def heard() -> str | None:
        rows = await teller.items("/api/gateways")
        online = {row["name"] for row in rows if row["online"]}
        return ", ".join(sorted(online)) if online >= set(GATEWAYS) else None

    await teller.see("every gateway is online again", heard, within_s=90)
    await _closes(teller, began)
    tripped = await trips_of(teller, dict.fromkeys(GATEWAYS), began)
    if tripped:
        raise NotSeenError(f"interlocks tripped meanwhile: {', '.join(tripped)}: expected none")
    teller.tell("no interlock tripped by it")


async def _closes(teller: Teller, began: float) -> None:
    ended = time.time()

    async def closed() -> str | None:
        if time.time() < ended + MARGIN_S:
            return None
        rows = await teller.items("/api/completeness", Stretch(began, ended).query)
        due = [row for row in rows if row["period_ms"]]
        open_rows = [row["point"] for row in due if row["unexplained"] or row["duplicated"]]
        if open_rows or not due:
            raise OSError(f"{len(open_rows)} points are open: {', '.join(open_rows[:3])}")
        sums = {key: sum(row[key] for row in due) for key in ("expected", "stored", "explained")}
        return f"{sums['expected']} due = {sums['stored']} stored + {sums['explained']} explained"

    await teller.see("the ledger closes", closed, within_s=CLOSED_S)
