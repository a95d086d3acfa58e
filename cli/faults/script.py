"""What a campaign will do, drawn from a seed before anything starts; it does not do any of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """Everything a campaign can do to a running system."""

    KILL = "kill"
    FROZEN = "frozen"
    BLACK_HOLE = "black_hole"
    UNIT_SILENT = "unit_silent"
    START_WITHOUT_BROKER = "start_without_broker"
    BROKER_EMPTY = "broker_empty"
    DISK_FULL = "disk_full"
    JOURNAL_TRUNCATED = "journal_truncated"
    JOURNAL_BIT_FLIPPED = "journal_bit_flipped"
    JOURNAL_RESTORED = "journal_restored"
    HUB_CLOCK_STEPPED = "hub_clock_stepped"
    GATEWAY_CLOCK_STEPPED = "gateway_clock_stepped"
    BATCHES_REPLAYED = "batches_replayed"
    HOSTILE_MESSAGES = "hostile_messages"
    FORGED_ACKS = "forged_acks"
    UNDECLARED_POINT = "undeclared_point"


BROKER, HUB, DATABASE = "broker", "hub", "database"
SERVICES = (BROKER, HUB, DATABASE)

_COMBINED = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4)
"""How many processes one kill step takes; drawn with equal chance."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault: who it hits, how long it lasts, how long the system then runs before the next."""

    fault: Fault
    targets: tuple[str, ...]
    outage_s: float
    pause_s: float
    seed: int


def make_script(kills: int, seed: int, gateways: Sequence[str]) -> list[Step]:
    """Return the steps of a campaign with exactly this many kill -9.

    Every other fault comes once per 25 kills, at least once; a campaign of fewer kills than there are
    faults takes as many of them as it has kills. The same arguments give the same script.
    """
    random = Random(seed)  # noqa: S311 - a reproducible script, no secret
    steps = _kill_steps(kills, random, gateways)
    for fault in _other_faults(kills, random):
        # A database is more than the one process that the campaign knows; it is not among the frozen.
        victims = (*gateways, BROKER, HUB) if fault is Fault.FROZEN else gateways
        steps.insert(random.randint(0, len(steps)), _step(fault, (random.choice(victims),), random))
    return steps


def _other_faults(kills: int, random: Random) -> list[Fault]:
    others: list[Fault] = [fault for fault in Fault if fault is not Fault.KILL]
    if kills < len(others):
        return random.sample(others, kills)
    return others * max(1, kills // 25)


def _kill_steps(kills: int, random: Random, gateways: Sequence[str]) -> list[Step]:
    steps: list[Step] = []
    left = kills
    while left:
        # A process that the campaign knows by name; gateways as likely as the services.
        pool = [*SERVICES, *random.sample(gateways, min(len(gateways), 2))]
        targets = tuple(random.sample(pool, min(left, random.choice(_COMBINED), len(pool))))
        steps.append(_step(Fault.KILL, targets, random))
        left -= len(targets)
    return steps


def _step(fault: Fault, targets: tuple[str, ...], random: Random) -> Step:
    return Step(
        fault=fault,
        targets=targets,
        outage_s=round(random.uniform(0.1, 2.5), 2),
        pause_s=round(random.choice((0.2, 1.0, 2.0, 4.0)) * random.uniform(0.7, 1.3), 2),
        seed=random.getrandbits(32),
    )
