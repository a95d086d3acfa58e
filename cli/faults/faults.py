"""Every fault as a function: what is done to the running system, in order, for how long.

Each returns one line that says what it did. None of them judges; the accounting does.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from random import Random

from cli.embedded import processes
from cli.faults import attacks, journal_damage
from cli.faults.load import TIMEOUT_MS, UNITS
from cli.faults.script import Fault, Step
from cli.faults.stage import BUS, COMMIT_S, GATEWAY, MARGIN_S, STORAGE, GatewayStand, NotPlayedError, Stage

Play = Callable[[Stage, Step, Random], Awaitable[str]]

_BACKLOG_S = 2.0
_GOES_ON_S = 60.0
"""A unit that was silent is asked again within half of this."""


async def _kill(stage: Stage, step: Step, random: Random) -> str:
    for target in step.targets:
        await stage.kill(target, step.fault)
    await asyncio.sleep(step.outage_s)
    back = random.sample(step.targets, len(step.targets))
    for target in back:
        await stage.start(target)
    return f"{', '.join(step.targets)} for {step.outage_s} s, back in the order {', '.join(back)}"


async def _black_hole(stage: Stage, step: Step, random: Random) -> str:
    gateway = _victim(stage, step)
    silent_s = step.outage_s * random.choice((1, 2, 4))
    gateway.link.go_silent()
    try:
        await asyncio.sleep(silent_s)
    finally:
        gateway.link.come_back()
    return f"{gateway.name} heard nothing for {silent_s:.1f} s"


async def _freeze(stage: Stage, step: Step, random: Random) -> str:
    """Stop a process in the middle of whatever it does, as a starved machine does, and let it go on."""
    (target,) = step.targets
    pid = stage.pid(target)
    frozen_s = step.outage_s * random.choice((1, 2, 4))
    started = time.time()
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(frozen_s)
    finally:
        os.kill(pid, signal.SIGCONT)
        if target in stage.gateways:
            # An answer on its way when it stopped may be read too late to say when it was measured.
            stage.gateways[target].may_cost(
                step.fault, GATEWAY, from_at=started - MARGIN_S, to_at=time.time() + MARGIN_S
            )
    return f"{target} stood still for {frozen_s:.1f} s"


async def _silence_unit(stage: Stage, step: Step, random: Random) -> str:
    """One of two devices on a line answers nothing; its neighbour must go on."""
    gateway = _victim(stage, step)
    unit = random.choice(UNITS)
    silent_s = step.outage_s + TIMEOUT_MS / 1000
    (neighbour,) = {*UNITS} - {unit}
    gateway.devices.silence(unit, silent=True)
    try:
        await asyncio.sleep(TIMEOUT_MS / 1000)
        answered = len(gateway.devices.given_out(neighbour))
        await asyncio.sleep(step.outage_s)
        if not await _goes_on(gateway, neighbour, answered):
            raise NotPlayedError(f"{gateway.name}: {neighbour} was not asked while {unit} was silent")
    finally:
        gateway.devices.silence(unit, silent=False)
    answered = len(gateway.devices.given_out(unit))
    if not await _goes_on(gateway, unit, answered):
        raise NotPlayedError(f"{gateway.name}: {unit} was not asked again after its silence")
    return f"{gateway.name}: {unit} answered nothing for {silent_s:.1f} s"


async def _goes_on(gateway: GatewayStand, unit: str, answered: int) -> bool:
    """Whether a device soon gives out more than it had."""
    return await processes.until(lambda: _more_than(answered, gateway, unit), timeout_s=_GOES_ON_S)


async def _more_than(answered: int, gateway: GatewayStand, unit: str) -> bool:
    return len(gateway.devices.given_out(unit)) > answered


async def _start_without_broker(stage: Stage, step: Step, _: Random) -> str:
    gateway = _victim(stage, step)
    await gateway.stop(step.fault)
    await stage.broker.kill()
    await gateway.process.start()
    await asyncio.sleep(step.outage_s + _BACKLOG_S)
    await stage.broker.start()
    return f"{gateway.name} started {step.outage_s + _BACKLOG_S:.1f} s before the broker"


async def _broker_empty(stage: Stage, step: Step, _: Random) -> str:
    await stage.hub.kill()
    await asyncio.sleep(step.outage_s)
    await stage.broker.stop()
    await stage.broker.start()
    await stage.hub.start()
    return f"what the broker had queued in {step.outage_s} s without a hub is gone"


async def _disk_full(stage: Stage, step: Step, _: Random) -> str:
    gateway = _victim(stage, step)
    pid = stage.pid(gateway.name)
    started = time.time()
    how = gateway.disk.fill(pid)
    try:
        await asyncio.sleep(step.outage_s + _BACKLOG_S)
    finally:
        gateway.disk.make_room(pid)
        gateway.may_cost(step.fault, STORAGE, from_at=started - COMMIT_S, to_at=time.time() + MARGIN_S)
    return f"{gateway.name}: {how} for {step.outage_s + _BACKLOG_S:.1f} s"


async def _damage(stage: Stage, step: Step, random: Random) -> str:
    """Let a backlog build up behind a silent link, kill, damage, start, let the link come back."""
    gateway = _victim(stage, step)
    truncate = step.fault is Fault.JOURNAL_TRUNCATED
    await stage.until_delivered(gateway.name)
    started = time.time()
    gateway.link.go_silent()
    try:
        await asyncio.sleep(step.outage_s + _BACKLOG_S)
        await gateway.kill(step.fault)
        damage = journal_damage.truncate if truncate else journal_damage.flip_bit
        done = damage(gateway.journal, random)
        gateway.may_cost(step.fault, STORAGE, from_at=started - COMMIT_S, to_at=time.time() + MARGIN_S)
        await gateway.process.start()
    finally:
        gateway.link.come_back()
    return f"{gateway.name}: {done}"


async def _journal_restored(stage: Stage, step: Step, random: Random) -> str:
    """Copy the journal while it holds a backlog, run on, then put the old copy in its place."""
    gateway = _victim(stage, step)
    backup = stage.folder / "backup" / gateway.name
    whole = random.choice((True, False))
    await stage.until_delivered(gateway.name)
    started = time.time()
    gateway.link.go_silent()
    try:
        await asyncio.sleep(random.choice((0.0, _BACKLOG_S)))
        await gateway.stop(step.fault)
        journal_damage.back_up(gateway.journal, backup)
        await gateway.process.start()
    finally:
        gateway.link.come_back()
    await asyncio.sleep(step.outage_s + _BACKLOG_S)
    await gateway.kill(step.fault)
    journal_damage.restore(gateway.journal, backup, whole=whole)
    # What the newer journal had not delivered is gone; what only the copy holds may have been sent before.
    # An old copy also goes on with a gap that was open when it was made.
    gateway.may_cost(step.fault, STORAGE | GATEWAY | BUS, from_at=started - COMMIT_S, to_at=time.time())
    await gateway.process.start()
    what = "card" if whole else "journal"
    return f"{gateway.name} is back on a {what} {time.time() - started:.1f} s old"


async def _hub_clock_stepped(stage: Stage, step: Step, random: Random) -> str:
    offset_s = random.choice((-1, 1)) * random.randint(20, 1800)
    stage.hub_clock.step(offset_s)
    try:
        await asyncio.sleep(step.outage_s + _BACKLOG_S)
    finally:
        stage.hub_clock.step(0)
    return f"{offset_s:+d} s for {step.outage_s + _BACKLOG_S:.1f} s"


async def _gateway_clock_stepped(stage: Stage, step: Step, random: Random) -> str:
    gateway = _victim(stage, step)
    offset_s = random.choice((-1, 1)) * random.randint(20, 1800)
    gateway.clock.step(offset_s)
    try:
        await asyncio.sleep(step.outage_s + _BACKLOG_S)
    finally:
        gateway.clock.step(0)
    return f"{gateway.name} {offset_s:+d} s for {step.outage_s + _BACKLOG_S:.1f} s"


def _victim(stage: Stage, step: Step) -> GatewayStand:
    return stage.gateways[step.targets[0]]


PLAYS: dict[Fault, Play] = {
    Fault.KILL: _kill,
    Fault.FROZEN: _freeze,
    Fault.BLACK_HOLE: _black_hole,
    Fault.UNIT_SILENT: _silence_unit,
    Fault.START_WITHOUT_BROKER: _start_without_broker,
    Fault.BROKER_EMPTY: _broker_empty,
    Fault.DISK_FULL: _disk_full,
    Fault.JOURNAL_TRUNCATED: _damage,
    Fault.JOURNAL_BIT_FLIPPED: _damage,
    Fault.JOURNAL_RESTORED: _journal_restored,
    Fault.HUB_CLOCK_STEPPED: _hub_clock_stepped,
    Fault.GATEWAY_CLOCK_STEPPED: _gateway_clock_stepped,
    Fault.BATCHES_REPLAYED: attacks.replay_batches,
    Fault.HOSTILE_MESSAGES: attacks.send_hostile_messages,
    Fault.FORGED_ACKS: attacks.forge_acks,
    Fault.UNDECLARED_POINT: attacks.declare_late,
}
"""What each fault does."""
