"""Runs the interlocks of the hub: feeds them what was stored, keeps how they stand, has gateways trip theirs.

What makes safe is written first: the state that holds work stands in the database before a command is asked
for, and work that is held goes on only by a state that was committed. After a restart what was kept counts;
silence trips.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

import msgspec
import psycopg

from cloud import command_acts
from cloud.command_acts import Wish
from cloud.hub_interlock_acts import DELIVERY_S, SPEED, plant_of, points_of
from cloud.identity.acts import ActError
from cloud.store import control_status, jobs_interlocks, jobs_points, shadow
from cloud.store.connection import Connection
from cloud.store.jobs import at_tick
from cloud.store.jobs_interlocks import Asked, HubInterlock
from cloud.store.jobs_interlocks import Trip as Target
from cloud.store.ticks import tick_of_datetime
from rules.interlock.acts import act
from rules.interlock.inputs import Acknowledge, Enable, Moment, Person, Reading, Reset, Right, Seen, Trip
from rules.interlock.inputs import Asked as Wanted
from rules.interlock.plan import Plan, make_plan
from rules.interlock.restart import restore
from rules.interlock.state import LATCHED, Change, Phase, State, Stepped, encode_kept, needs_keeping
from rules.interlock.status import unmet
from rules.interlock.step import step
from wire.messages import TICK_MS

_log = logging.getLogger(__name__)

KEEP_EVERY = timedelta(seconds=5)
"""So often is written down how an interlock stands, at least."""
AGAIN = timedelta(seconds=30)
"""After so long a gateway is asked again that is heard and did not trip; each time twice as long."""
AGAIN_MOST = timedelta(minutes=10)
BAD = (
    *(ArithmeticError, AssertionError, LookupError, TypeError, ValueError),
    *(msgspec.MsgspecError, psycopg.DataError),
)
"""What one interlock may fail with that no other has to wait for; not judged for long, it holds work."""
_RIGHTS = frozenset(Right)
_ACTS: dict[str, Callable[[Person, Asked], Wanted]] = {
    "trip": lambda who, one: Trip(by=who, reason=one.reason),
    "acknowledge": lambda who, one: Acknowledge(by=who, breach=one.breach, comment=one.reason),
    "reset": lambda who, one: Reset(by=who, breach=one.breach, reason=one.reason),
    "enable": lambda who, one: Enable(by=who, breach=one.breach),
}


@dataclass(slots=True)
class Run:
    """One interlock as it runs in this process."""

    interlock: HubInterlock
    plan: Plan
    ids: dict[str, int]
    """Name of a point -> its id."""
    state: State
    fed: dict[str, datetime] = field(default_factory=dict)
    """Up to when each point was fed."""
    kept_at: datetime | None = None
    asked: dict[Target, tuple[datetime, timedelta]] = field(default_factory=dict)
    """When gateways were asked last for this breach, and after how long again."""


class HubInterlocks:
    """All interlocks of the hub; one process runs them."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(16)
        self._runs: dict[int, Run] = {}
        self._first: datetime | None = None
        self._ticked = 0

    async def look(self, connection: Connection, now: datetime) -> None:
        """Feed every interlock what is new, let time pass, do what was asked."""
        at = self._moment(now)
        known = {one.id: one for one in await jobs_interlocks.list_hub_interlocks(connection)}
        for gone in [one for one in self._runs if one not in known or not known[one].enabled]:
            del self._runs[gone]
        for one in known.values():
            if one.enabled:
                await self._judge(connection, one, at, now=now)
        for ask in await jobs_interlocks.open_asks(connection):
            await self._answer(connection, ask, at, now=now)
        for run in self._runs.values():
            await self._trip_others(connection, run, now)

    async def _judge(self, connection: Connection, one: HubInterlock, at: Moment, *, now: datetime) -> None:
        try:
            run = self._runs.get(one.id)
            if run is None or run.interlock.version != one.version:
                run = await self._begin(connection, one, at, now=now)
            if run is not None:
                await self._feed(connection, run, at, now=now)
        except BAD:
            self._runs.pop(one.id, None)  # it begins anew from what was kept
            _log.exception("jobs: interlock %s of the hub cannot be judged", one.name)

    def _moment(self, now: datetime) -> Moment:
        """Return the moment of a time of UTC; within this process ticks never go back."""
        self._first = self._first or now
        self._ticked = max(self._ticked, (now - self._first) // timedelta(milliseconds=TICK_MS))
        return Moment(self._boot, self._ticked, tick_of_datetime(now))

    async def _begin(
        self, connection: Connection, one: HubInterlock, at: Moment, *, now: datetime
    ) -> Run | None:
        plant, ids = await plant_of(connection, one.organisation_id, points_of(one.rule))
        try:
            plan = make_plan(one.rule, plant)
        except KeyError as error:
            # A point that is there no more: it stays as it was kept, which is not healthy.
            _log.error("jobs: interlock %s of the hub names %s, which is not there", one.name, error)
            return None
        begun = restore(one.kept, plan, at)
        run = self._runs[one.id] = Run(one, plan, ids, begun.state)
        await self._keep(connection, run, begun, now=now)
        return run

    async def _feed(self, connection: Connection, run: Run, at: Moment, *, now: datetime) -> None:
        before = run.state
        changed: list[Change] = []
        readings = await self._readings(connection, run, at, now=now)
        for _, same in groupby(readings, key=lambda one: one.tick):
            stepped = step(run.state, run.plan, at, inputs=list[Seen](same))
            run.state = stepped.state
            changed += stepped.changes
        stepped = step(run.state, run.plan, at)
        run.state = stepped.state
        whole = Stepped(run.state, (*changed, *stepped.changes))
        due = run.kept_at is None or now - run.kept_at >= KEEP_EVERY
        if due or whole.changes or needs_keeping(before.kept, run.state.kept):
            await self._keep(connection, run, whole, now=now)

    async def _readings(
        self, connection: Connection, run: Run, at: Moment, *, now: datetime
    ) -> list[Reading]:
        found: list[Reading] = []
        for name, point_id in run.ids.items():
            since = run.fed.get(name)
            speed = name.endswith(SPEED)
            rows = await jobs_points.stored_since(connection, point_id, since, now=now, speed=speed)
            if rows:
                run.fed[name] = rows[-1][0]
            assert at.utc is not None
            found += [
                Reading(name, at.tick - max(0, at.utc - tick_of_datetime(seen)), raw, status)
                for seen, raw, status in rows
            ]
        return sorted(found, key=lambda one: (one.tick, one.point))

    async def _keep(self, connection: Connection, run: Run, stepped: Stepped, *, now: datetime) -> None:
        """Write down how it stands after a step, whether that counts already or not."""
        state, before = stepped.state, run.interlock
        kept = state.kept
        for change in stepped.changes:
            _log.info("jobs: interlock %s of the hub: %s %s", before.name, change.kind, change.causes)
        tripped = kept.tripped_at.utc if kept.tripped_at is not None else None
        since = None if state.phase is Phase.HEALTHY else (at_tick(tripped) if tripped else before.made_at)
        missing = unmet(state, run.plan) if state.phase is not Phase.HEALTHY else ()
        async with connection.transaction():
            await jobs_interlocks.keep_state(
                connection,
                before.id,
                kept=encode_kept(kept),
                phase=str(state.phase),
                breach=kept.breach,
                first_out=[vote.cause for vote in kept.first_out],
                unmet=[f"{one.reason} {one.cause}".strip() for one in missing],
                at=now,
                tripped_at=since,
            )
        run.kept_at = now

    async def _answer(self, connection: Connection, ask: Asked, at: Moment, *, now: datetime) -> None:
        """Do what a person asked for; what it permits is committed with the answer, before it counts."""
        run = self._runs.get(ask.interlock_id)
        if run is None:
            await jobs_interlocks.answer(connection, ask.id, refused="not_running", at=now)
            return
        stepped = act(run.state, run.plan, _ACTS[ask.act](Person(ask.actor, _RIGHTS), ask), at=at)
        async with connection.transaction():
            await self._keep(connection, run, stepped, now=now)
            await jobs_interlocks.answer(connection, ask.id, refused=str(stepped.refused or ""), at=now)
        run.state = stepped.state

    async def _trip_others(self, connection: Connection, run: Run, now: datetime) -> None:
        """Ask gateways to trip their interlocks while this one is latched and they are not known to have."""
        if run.state.phase not in LATCHED:
            run.asked.clear()
            return
        name = run.interlock.name
        for one in run.interlock.trips:
            asked_at, wait = run.asked.get(one, (None, AGAIN))
            if asked_at is not None and now - asked_at < wait:
                continue  # AGAIN outlasts the deadline: none is open any more when the next one is asked for
            held = await control_status.get_held(connection, one.gateway, now)
            if held is not None and held.is_known(now) and _is_tripped(held, one.interlock):
                continue
            if asked_at is not None and held is not None and not _heard_since(held, asked_at):
                continue  # it is asked as soon as it is heard
            owner = await shadow.owner(connection, one.gateway, now)
            if owner is None or owner.revoked:
                continue
            run.asked[one] = (now, AGAIN if asked_at is None else min(2 * wait, AGAIN_MOST))
            arguments = {"interlock": one.interlock, "reason": f"interlock {name} of the hub"}
            wish = Wish(one.gateway, "interlock.trip", arguments, valid_s=DELIVERY_S)
            try:
                async with connection.transaction():
                    await command_acts.ask_as_hub(connection, wish, why=f"interlock {name}", now=now)
            except ActError as error:  # of one gateway; the work is held all the same
                _log.error("jobs: interlock %s of the hub: %s", name, error)


def _heard_since(held: control_status.Held, at: datetime) -> bool:
    return held.heard_at is not None and held.heard_at > at


def _is_tripped(held: control_status.Held, interlock: str) -> bool:
    return any(one.name == interlock and one.phase != Phase.HEALTHY for one in held.status.interlocks)
