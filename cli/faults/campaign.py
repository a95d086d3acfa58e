"""Plays a script on a running system, waits until everything is delivered, and accounts for it.

It neither builds the system nor draws the script.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psycopg

from cli.demo.service import Service
from cli.faults import attacks
from cli.faults.accounting import Verdict
from cli.faults.faults import PLAYS
from cli.faults.mqtt import BrokerRefusedError
from cli.faults.script import Fault, Step
from cli.faults.stage import NotPlayedError, Stage

DRAIN_S = 120.0
"""How long the system gets to deliver everything after the last fault."""
_RESTART_S = 0.5

Tell = Callable[[str], None]
Audit = Callable[[float], Awaitable[Verdict]]
"""Accounts for what was given out until a time (UTC, seconds)."""


@dataclass(slots=True)
class Outcome:
    """What a campaign did and found."""

    verdict: Verdict
    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    ended_by_themselves: Counter[str] = field(default_factory=Counter)
    """Processes that ended though nobody killed them; they were started again."""
    drain_s: float = 0.0
    not_done: list[str] = field(default_factory=list)
    """Faults that were left out or did not end well, and why."""

    @property
    def good(self) -> bool:
        """Whether every fault was played, nothing else failed, and all that was given out is found."""
        as_played = not self.not_done and not self.ended_by_themselves
        return self.verdict.clean and as_played and self.verdict.given_out > 0


async def play(stage: Stage, steps: Sequence[Step], *, audit: Audit, tell: Tell) -> Outcome:
    """Play every step, drain, account."""
    outcome = Outcome(Verdict())
    keeper = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_running(stage, outcome.ended_by_themselves, keeper))
        for number, step in enumerate(steps, 1):
            try:
                done = await PLAYS[step.fault](stage, step, Random(step.seed))  # noqa: S311 - a script, no secret
            except NotPlayedError as error:
                done = f"not done: {error}"
                outcome.not_done.append(f"{step.fault.value}: {error}")
            else:
                outcome.faults[step.fault.value] += 1
                outcome.kills += len(step.targets) if step.fault is Fault.KILL else 0
            tell(f"[{number:3}/{len(steps)}] {step.fault.value.replace('_', ' ')}: {done}")
            await asyncio.sleep(step.pause_s)
        outcome.verdict, outcome.drain_s = await _drain(stage, audit, tell)
        keeper.set()
    return outcome


async def _drain(stage: Stage, audit: Audit, tell: Tell) -> tuple[Verdict, float]:
    """Ask the audit until it is clean or the time is up."""
    started = time.monotonic()
    until = time.time()
    tell(f"all faults are over; waiting up to {DRAIN_S:.0f} s until everything is delivered")
    verdict = Verdict()
    told = ""
    while time.monotonic() - started < DRAIN_S:
        try:
            await attacks.say_again(stage)
            verdict = await audit(until)
            state = f"{verdict.lost} lost, {verdict.duplicated} doubled, {verdict.unexplained} unexplained"
        except (psycopg.OperationalError, BrokerRefusedError) as error:
            state = str(error)
        else:
            if verdict.clean:
                break
        if state != told:
            tell(f"not yet: {state}")
        told = state
        await asyncio.sleep(2)
    return verdict, time.monotonic() - started


async def _keep_running(stage: Stage, ended: Counter[str], over: asyncio.Event) -> None:
    """Start again what ended by itself, as an init system would, and count it."""
    services: list[Service] = [stage.hub, *(gateway.process for gateway in stage.gateways.values())]
    while not over.is_set():
        for service in services:
            if service.wanted and service.pid is None:
                ended[service.name] += 1
                await service.start()
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _RESTART_S)
