"""Gathers what was accepted until it is due to be committed.

Due is: 50 ms brought nothing new, or a second has passed since the first; about once a second on average at
most, unless a full batch is there. Events have turns of their own, some of them at once: what somebody did at
a door is on the disk before the next readings are. It writes nothing.
"""

import asyncio
from collections.abc import Callable

from edge.journal.group import WEIGHT_MAX, Item, weigh
from wire.messages import Event

QUIET_S = 0.05
LATEST_S = 1.0
SPACING_S = 0.95
"""A little shorter than the period of most devices: a burst that lost its turn once has it back soon."""
EVENTS_AHEAD = 5
"""So many commits for events may come at once, after a while without."""
SLACK_S = 0.25
"""So much before its turn may a commit come, so that a late one does not delay all that follow."""
WEIGHT_HELD_MAX = 10 * WEIGHT_MAX
"""When so much waits, those who bring more wait too."""


class Intake:
    """Items in the order in which they were accepted."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is monotonic seconds."""
        self._now = now
        self._items: list[Item] = []
        self._weight = 0
        self._first_at = 0.0
        self._last_at = 0.0
        self._turn_at = now()
        self._events_turn_at = now()
        self._event_at: float | None = None
        """When the first event came that is there."""
        self._some = asyncio.Event()
        self._sooner = asyncio.Event()
        """Something came that is due before what was there."""
        self._space = asyncio.Event()
        self._space.set()

    def __len__(self) -> int:
        return len(self._items)

    async def space(self) -> None:
        """Wait until more may be brought."""
        await self._space.wait()

    def add(self, item: Item) -> None:
        """Take one item."""
        now = self._now()
        if not self._items:
            self._first_at = now
        self._items.append(item)
        self._last_at = now
        if self._event_at is None and isinstance(item, Event):
            self._event_at = now
            self._sooner.set()
        self._weight += weigh(item)
        self._some.set()
        if self._weight >= WEIGHT_MAX:
            self._sooner.set()
        if self._weight >= WEIGHT_HELD_MAX:
            self._space.clear()

    def due_in(self) -> float | None:
        """Return in how many seconds what is there is due; None when nothing is there."""
        if not self._items:
            return None
        if self._weight >= WEIGHT_MAX:
            return 0.0
        quiet = min(self._last_at + QUIET_S, self._first_at + LATEST_S)
        due_at = max(quiet, self._turn_at - SLACK_S)
        if self._event_at is not None:
            turn_at = self._events_turn_at - EVENTS_AHEAD * SPACING_S
            due_at = min(due_at, max(min(quiet, self._event_at + QUIET_S), turn_at))
        return max(0.0, due_at - self._now())

    async def due(self, idle_s: float) -> bool:
        """Wait until something is due (True), or nothing came for `idle_s` (False)."""
        while True:
            wait_s = self.due_in()
            if wait_s == 0.0:
                return True
            event = self._some if wait_s is None else self._sooner
            event.clear()
            try:
                async with asyncio.timeout(idle_s if wait_s is None else wait_s):
                    await event.wait()
            except TimeoutError:
                if wait_s is None:
                    return False

    def take(self) -> list[Item]:
        """Return everything and start anew."""
        items, self._items = self._items, []
        self._weight = 0
        now = self._now()
        if self._event_at is not None and now < self._turn_at - SLACK_S:
            self._events_turn_at = max(self._events_turn_at, now) + SPACING_S
        else:
            self._turn_at = max(self._turn_at, now) + SPACING_S
        self._event_at = None
        self._some.clear()
        self._sooner.clear()
        self._space.set()
        return items
