"""Finds the units on a line and reads each once, for whoever puts it into service.

It asks every address one harmless question: one holding register. Whatever a unit answers, a refusal too,
shows that it is there. It changes nothing on a device and is not for a line that a gateway reads.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge.drivers.modbus.bus import Bus, BusError, ConnectionLostError, RefusedError
from edge.drivers.modbus.catalogue import shipped_profiles
from edge.drivers.modbus.decode import decode_block, exponent_of, plan, with_unit
from edge.drivers.modbus.frames import Question
from edge.drivers.modbus.plausible import Read, odd, rank
from edge.drivers.modbus.strangers import HARMLESS
from wire.settings.modbus import Profile


@dataclass(frozen=True, slots=True)
class Fit:
    """A profile of which the unit has every value, and what it reads by it."""

    profile: str
    values: Sequence[str]
    odd: Sequence[str] = ()
    """The names of those that are hardly what the device measures."""


@dataclass(frozen=True, slots=True)
class Found:
    """One address at which something is. `trouble` says why it cannot be read."""

    address: int
    where: str
    fits: Sequence[Fit] = ()
    """The likeliest first."""
    trouble: str = ""


Progress = Callable[[str, int], None]
"""Told before each address: what the line is, and the address."""


async def find(
    bus: Bus, addresses: Iterable[int], *, timeout_s: float, progress: Progress
) -> AsyncIterator[Found]:
    """Ask every address on an open line; `ConnectionLostError` when the line cannot be kept."""
    for address in addresses:
        progress(bus.where, address)
        try:
            await _ask(bus, address, HARMLESS, timeout_s=timeout_s)
        except RefusedError:
            pass
        except BusError as error:
            trouble = _trouble(error)
            if trouble:
                yield Found(address, bus.where, trouble=trouble)
            continue
        yield Found(address, bus.where, await _fits(bus, address, timeout_s))


async def _ask(bus: Bus, address: int, question: Question, *, timeout_s: float) -> list[int]:
    await asyncio.sleep(bus.rest_s(address))
    try:
        return await bus.ask(address, question, timeout_s=timeout_s)
    except ConnectionLostError:
        await bus.reopen()
        raise


def _trouble(error: BusError) -> str:
    """Return what is wrong at an address that did not answer properly; empty for silence."""
    text = str(error)
    for sign in ("garbled", "echo", "another length", "came, not of", "does not become quiet", "undecodable"):
        if sign in text:
            return text
    return ""


async def _fits(bus: Bus, address: int, timeout_s: float) -> Sequence[Fit]:
    """Return every profile that reads something of a unit, the likeliest first."""
    found: dict[str, tuple[Profile, Sequence[int]]] = {}
    for profile in shipped_profiles().values():
        try:
            counts = await _read(bus, address, profile, timeout_s=timeout_s)
        except BusError:
            continue
        if counts:
            found[profile.name] = profile, counts
    reads = {name: _reads(profile, counts) for name, (profile, counts) in found.items()}
    return [
        Fit(name, _shown(*found[name]), odd(reads[name]))
        for name in sorted(found, key=lambda name: rank(name, reads[name]))
    ]


async def _read(bus: Bus, address: int, profile: Profile, *, timeout_s: float) -> Sequence[int]:
    """Return the counts of every value of a profile; nothing when one of them is none or cannot be."""
    counts: list[int | None] = [None] * len(profile.value)
    flags: list[tuple[int, int]] = []
    for block in plan(profile.value, profile.gap_registers):
        question = Question(block.function, block.start, block.count)
        registers = await _ask(bus, address, question, timeout_s=timeout_s)
        decode_block(block, registers, counts=counts, flags=flags)
        await asyncio.sleep(profile.gap_ms / 1000)
    known = [count for count in counts if count is not None]
    return known if len(known) == len(counts) and not flags else ()


def _reads(profile: Profile, counts: Sequence[int]) -> dict[str, Read]:
    return {
        value.point: Read(value.quantity, Decimal(count).scaleb(exponent_of(value)))
        for value, count in zip(profile.value, counts, strict=True)
    }


def _shown(profile: Profile, counts: Sequence[int]) -> Sequence[str]:
    return [
        f"{value.point} = {with_unit(count, exponent_of(value), value.quantity)}"
        for value, count in zip(profile.value, counts, strict=True)
    ]
