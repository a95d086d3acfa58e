"""Rehearsal of an interlock over stored history: as it stands in the settings, or as edited.

The same code judges as at the gateway, with the calibrations that the gateway judges by now. It reads some
hours at a time and thinks in a thread of its own; how far it has come is told.
"""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from cloud.interlock_rules import Configured, configured, points_named
from cloud.store import rehearsed, shadow
from cloud.store.connection import Connection
from cloud.store.rehearsed import Fed
from cloud.store.shadow import Owner
from cloud.store.snapshot import Pool, snapshot
from cloud.store.ticks import tick_of_datetime
from rules.interlock.configured import make_rule, rule_faults
from rules.interlock.model import CheckDue, Happened, Interlock
from rules.interlock.plan import Plan, make_plan
from rules.interlock.rehearse import Rehearsal, Rehearsing
from wire.settings.base import Fault, Settings
from wire.settings.check import check
from wire.settings.interlock import InterlockSettings
from wire.settings.shadow import read_text
from wire.settings.toml import to_toml

SPAN_MAX = timedelta(days=92)
READINGS_MAX = 300_000
_PIECE = timedelta(hours=6)
TEXT_MAX = 20_000


class RehearsalError(Exception):
    """A rehearsal that cannot be; the text says why, `field` of what."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be rehearsed."""

    gateway: str
    interlock: str
    from_at: datetime
    to_at: datetime
    text: str = ""
    """TOML with the interlock as edited; empty: as it stands in the settings that run."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A rehearsal that can begin."""

    asked: Asked
    owner: Owner
    plan: Plan
    fed: Sequence[Fed]
    kinds: Sequence[str]
    readings: int


class Edited(Settings, frozen=True, kw_only=True):
    """An interlock as edited."""

    interlock: Annotated[list[InterlockSettings], Meta(min_length=1, max_length=1)]


async def prepare(connection: Connection, asked: Asked) -> Prepared:
    """Check what is asked; raises `RehearsalError`."""
    if not asked.from_at < asked.to_at or asked.to_at - asked.from_at > SPAN_MAX:
        raise RehearsalError("to", f"expected an end after the start, at most {SPAN_MAX.days} days later")
    owner = await shadow.owner(connection, asked.gateway, asked.to_at)
    if owner is None:
        raise RehearsalError("gateway", f"{asked.gateway}: expected an existing gateway")
    known = await configured(connection, owner)
    rule = _without_outputs(_rule(known, asked))
    plan = make_plan(rule, known.plant)
    channels = sorted(points_named(rule))
    fed = await rehearsed.list_fed(connection, owner.id, channels, from_at=asked.from_at, to_at=asked.to_at)
    for channel, found in (await rehearsed.exponents(connection, fed)).items():
        if found - {known.around.points[channel].exponent}:
            raise RehearsalError("from", f"{channel} had another resolution then: expected a later start")
    readings = await rehearsed.count(connection, fed, most=READINGS_MAX + 1)
    if readings > READINGS_MAX:
        raise RehearsalError(
            "from", f"expected a stretch with at most {READINGS_MAX} readings: a shorter one"
        )
    return Prepared(asked, owner, plan, fed, sorted(_kinds(rule)), readings)


async def rehearsal(pool: Pool, ready: Prepared) -> AsyncIterator[float | Rehearsal]:
    """Yield how far it has come, from 0 to 1, and in the end what the rule would have done."""
    asked = ready.asked
    span = asked.to_at - asked.from_at
    run = Rehearsing(
        ready.plan, from_tick=tick_of_datetime(asked.from_at), to_tick=tick_of_datetime(asked.to_at)
    )
    at = asked.from_at
    while at < asked.to_at:
        yield (at - asked.from_at) / span
        end = min(at + _PIECE, asked.to_at)
        async with snapshot(pool) as connection:
            piece = await rehearsed.history(
                connection, ready.owner.id, ready.fed, kinds=ready.kinds, from_at=at, to_at=end
            )
        await asyncio.to_thread(run.take, piece)
        at = end
    yield await asyncio.to_thread(run.end)


async def text_of(connection: Connection, owner: Owner, interlock: str) -> str:
    """Return the part of the running settings with an interlock, as TOML; empty when it is not there."""
    known = await configured(connection, owner)
    document = await shadow.document(connection, owner.id, known.revision) or ""
    values = read_text(document)[0] or {}
    rules = values.get("interlock", [])
    found = (
        [one for one in rules if isinstance(one, dict) and one.get("name") == interlock]
        if isinstance(rules, list)
        else []
    )
    return to_text(found[0]) if found else ""


def to_text(rule: dict[str, object]) -> str:
    """Return an interlock as TOML."""
    return to_toml({"interlock": [rule]})


def _rule(known: Configured, asked: Asked) -> Interlock:
    if not asked.text.strip():
        found = known.find(asked.interlock)
        if found is None:
            raise RehearsalError(
                "interlock", f"{asked.interlock}: expected an interlock of the settings that run"
            )
        faults: list[Fault] = []
    else:
        settings = _edited(asked.text)
        faults = list(rule_faults([settings], known.around))
        found = make_rule(settings, known.around.points)
    missing = points_named(found) - known.around.points.keys()
    if faults or missing:
        words = [fault.expectation for fault in faults] or [
            f"no point is called {one}" for one in sorted(missing)
        ]
        raise RehearsalError("rule", "; ".join(words))
    return found


def _edited(text: str) -> InterlockSettings:
    try:
        data = tomllib.loads(text[:TEXT_MAX])
    except (ValueError, RecursionError) as error:
        raise RehearsalError("rule", f"expected TOML: {error}") from None
    found, faults = check(data, Edited)
    if found is None:
        raise RehearsalError("rule", "; ".join(map(str, faults)))
    return found.interlock[0]


def _without_outputs(rule: Interlock) -> Interlock:
    """Return the rule with nothing read back: outputs did not follow it then."""
    effects = tuple(msgspec.structs.replace(one, read_back=False) for one in rule.effects)
    return msgspec.structs.replace(rule, effects=effects)


def _kinds(rule: Interlock) -> set[str]:
    found: set[str] = set()
    for _, cause in rule.causes():
        if isinstance(cause.condition, Happened):
            found |= {cause.condition.kind, cause.condition.ends} - {""}
        elif isinstance(cause.condition, CheckDue):
            found |= set(cause.condition.after)
    return found
