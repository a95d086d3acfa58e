"""What a listener turned away, for the audit log: told when it is new, then counted and told once an hour.

So whoever goes on, from however many addresses, adds some two hundred rows an hour and not more.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from cloud.store import audit_log
from cloud.store.audit_log import Entry
from cloud.store.snapshot import Pool, changing

AGAIN_S = 3600.0
"""How long nothing is told of somebody and a reason that were told."""
PAIRS_MAX = 200
"""Pairs of somebody and a reason that are told apart within that time."""
OTHERS = ("", "others, too many to tell apart")


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who was turned away for a reason, so many times since that was told last."""

    who: str
    reason: str
    times: int


class Refusals:
    """What one listener turned away."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._counted: Counter[tuple[str, str]] = Counter()
        self._told_at: dict[tuple[str, str], float] = {}

    def note(self, who: str, reason: str) -> bool:
        """Count a refusal; return whether it is news."""
        pair = who, reason
        if pair not in self._counted and pair not in self._told_at and self._tracked() >= PAIRS_MAX:
            pair = OTHERS
        self._counted[pair] += 1
        return self._counted[pair] == 1 and pair not in self._told_at

    def due(self) -> list[Refused]:
        """Return what is to be told now; it stays so until `told`."""
        now_s = self._monotonic_s()
        for pair in [one for one, at_s in self._told_at.items() if now_s - at_s >= AGAIN_S]:
            del self._told_at[pair]
        return [Refused(*one, times) for one, times in self._counted.items() if one not in self._told_at]

    def told(self, refused: Sequence[Refused]) -> None:
        """Note that this was told."""
        for one in refused:
            pair = one.who, one.reason
            self._counted[pair] -= one.times
            if not self._counted[pair]:
                del self._counted[pair]
            self._told_at[pair] = self._monotonic_s()

    async def write_down(
        self, pool: Pool, entry: Callable[[Refused], Entry], *, now: Callable[[], datetime]
    ) -> None:
        """Write what is due into the audit log; while the database is away it stays due."""
        refused = self.due()
        if not refused:
            return
        try:
            async with changing(pool) as connection:
                await audit_log.append(connection, [entry(one) for one in refused], at=now())
        except psycopg.OperationalError:
            return
        self.told(refused)

    def _tracked(self) -> int:
        return len(self._counted.keys() | self._told_at.keys())
