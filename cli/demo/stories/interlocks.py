"""What stories see of interlocks, and how authorised people let them go again."""

import time
from collections.abc import Mapping
from typing import Any

from cli.demo.stories.teller import NotSeenError, Teller

WHO = "safety"
"""Who may acknowledge, reset and enable, by authorisation."""
READY_S = 60.0
TRIES = 3


async def trips(teller: Teller, gateway: str, name: str, *, within_s: float = 60.0) -> None:
    """See an interlock trip, with its first-out and every effect confirmed in its safe state."""

    async def tripped() -> str | None:
        now = await teller.interlock(gateway, name)
        return None if now["phase"] == "healthy" else f"first out: {', '.join(now.get('first_out', ()))}"

    await teller.see(f"interlock '{name}' trips", tripped, within_s=within_s)

    async def safe() -> str | None:
        effects = (await teller.interlock(gateway, name)).get("effects", ())
        if not all(one["safe"] and one.get("confirmed") is not False for one in effects):
            return None
        outputs = [one for one in effects if one["kind"] in ("inhibit_output", "isolate_power")]
        if not all(one.get("confirmed") for one in outputs):
            return None
        return ", ".join(f"{one['kind']} {one['target']}" for one in effects)

    await teller.see("its effects are in their safe state, outputs confirmed by read-back", safe)


async def released(teller: Teller, gateway: str, name: str) -> None:
    """See an interlock ready, and have it acknowledged, reset and enabled by who is authorised.

    What was ready may not be any more when it is asked for: a sensor fell silent, a value moved. Then it is
    waited for again.
    """
    for left in reversed(range(TRIES)):
        await _ready(teller, gateway, name)
        try:
            await _let_go(teller, gateway, name)
            break
        except NotSeenError as error:
            if not left:
                raise
            teller.tell(f"  not yet: {error}")

    async def healthy() -> str | None:
        return "" if (await teller.interlock(gateway, name))["phase"] == "healthy" else None

    await teller.see(f"interlock '{name}' is healthy", healthy)


async def _ready(teller: Teller, gateway: str, name: str) -> None:
    waits: list[str] = []

    async def ready() -> str | None:
        now = await teller.interlock(gateway, name)
        if now["phase"] in ("ready_to_reset", "reset", "healthy"):
            return ""
        missing = _missing(now)
        if missing and (not waits or waits[-1] != missing):
            waits.append(missing)
        return None

    await teller.see(f"interlock '{name}' can be reset", ready, within_s=READY_S)
    if waits:
        teller.tell(f"  it waited for: {waits[-1]}")


async def _let_go(teller: Teller, gateway: str, name: str) -> None:
    for act in ("acknowledge", "reset", "enable"):
        now = await teller.interlock(gateway, name)
        if now["phase"] == "healthy":
            break
        if (act == "acknowledge" and now.get("acknowledged_by")) or _done(act, now):
            continue
        ended = await teller.command(
            gateway, f"interlock.{act}", by=WHO, interlock=name, breach=now["breach"]
        )
        if ended != "executed":
            raise NotSeenError(f"interlock.{act} of {name}: {ended}: expected executed")


def _done(act: str, now: Mapping[str, Any]) -> bool:
    return act in ("acknowledge", "reset") and now["phase"] == "reset"


def _missing(now: Mapping[str, Any]) -> str:
    told = []
    for one in now.get("unmet", ()):
        left = one.get("remaining_s")
        about = f" {one['cause']}" if one.get("cause") else ""
        told.append(f"{one['reason']}{about}" + ("" if left is None else f" ({left:.0f} s left)"))
    return ", ".join(told)


async def is_healthy(teller: Teller, gateway: str, name: str) -> None:
    """Have an interlock healthy before a story begins: what an earlier one left is released."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        try:
            if (await teller.interlock(gateway, name))["phase"] == "healthy":
                return
            break
        except OSError:
            await teller.see(f"{gateway} says how it stands", lambda: _known(teller, gateway), within_s=30)
    teller.tell(f"interlock '{name}' is not healthy: it is released first")
    await released(teller, gateway, name)


async def _known(teller: Teller, gateway: str) -> str | None:
    return "" if (await teller.status(gateway))["known"] else None


async def trips_of(teller: Teller, gateways: Mapping[str, object], since: float) -> list[str]:
    """Return which interlocks tripped since a moment."""
    found: list[str] = []
    for gateway in gateways:
        told = await teller.events(gateway, ("interlock_tripped",), since)
        found += [f"{gateway} {one.subject}" for one in told]
    return found
