"""When it is worth telling the hub how much waits on the gateway. Pure accounts, no I/O."""

from dataclasses import dataclass

LOOK_S = 60.0
"""How often it is looked at; what is in flight does not wait."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the journal holds and nobody sends at this moment."""

    readings: int
    batches: int
    """Of those that are sealed."""


class BacklogTold:
    """What one session has told of its backlog."""

    def __init__(self) -> None:
        self._told: Waiting | None = None
        self._due = 0.0

    def told(self, waiting: Waiting | None, now: float) -> None:
        """It was told; None: it could not be read, and is looked at again."""
        self._told, self._due = waiting, now + LOOK_S

    def is_due(self, now: float) -> bool:
        """Whether it is time to look."""
        return now >= self._due

    def is_news(self, waiting: Waiting, now: float) -> bool:
        """Whether it is to be told: something waits or nothing does, or twice or half as much as told."""
        self._due = now + LOOK_S
        before = self._told or Waiting(0, 0)
        return _differs(before.readings, waiting.readings) or _differs(before.batches, waiting.batches)


def _differs(before: int, now: int) -> bool:
    return bool(before) is not bool(now) or not before <= 2 * now <= 4 * before
