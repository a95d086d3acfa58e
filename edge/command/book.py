"""Keeps the book of commands over restarts: small values of the journal, durable with its next commit."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from rules.command import KEPT, Book, Entry, Instant, opened
from wire.shadow import Revision

_HEAD = "command/head"
_ENTRY = "command/entry/"
KEEP_MS = 60_000
"""So often the latest UTC is kept, where no command comes."""


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept beside the entries."""

    fence: Revision
    boot: bytes
    ahead_ms: int | None = None
    """Greatest UTC less that boot's clock."""
    since: Instant | None = None
    """As `Book.since`."""
    seen_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Where small values are kept."""

    remember: Callable[[str, bytes], None]
    recall: Callable[[str], bytes | None]
    whole: bool
    """False when what was kept may be lost: the journal is new, or was damaged."""


class KeptBook:
    """The book of one gateway."""

    def __init__(self, memory: Memory, now: Instant) -> None:
        self._memory = memory
        self._boot = boot = now.boot
        head, entries, read = self._read()
        self._kept_ms = head.seen_ms
        self._slots = {entry.id: place for place, entry in entries}
        self._next = max(entries, key=lambda one: one[1].fence.order)[0] + 1 if entries else 0
        whole = memory.whole and read
        begun = Book(
            fence=head.fence,
            since=head.since if whole else now,
            ahead_ms=head.ahead_ms if head.boot == boot else None,
            seen_ms=head.seen_ms,
        )
        self.now, self.broken = opened(begun, (entry for _, entry in entries))
        """What is known now, and what an earlier process began and did not end."""
        if not whole:
            self._keep_head()
        for entry in self.broken:
            self._keep(entry)

    def _read(self) -> tuple[_Head, list[tuple[int, Entry]], bool]:
        """Return what was kept, and whether all of it could be read."""
        recall = self._memory.recall
        head, read = _Head(Revision(), self._boot), True
        entries = []
        try:
            if (kept := recall(_HEAD)) is not None:
                head = msgspec.json.decode(kept, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError):
            read = False
        for place in range(KEPT):
            kept = recall(f"{_ENTRY}{place:03}")
            try:
                if kept is not None:
                    entries.append((place, msgspec.json.decode(kept, type=Entry)))
            except (msgspec.DecodeError, UnicodeDecodeError):
                read = False
        return head, entries, read

    def saw(self, now: Instant) -> None:
        """Take note of the clock."""
        before, self.now = self.now, self.now.saw(now)
        first = before.ahead_ms is None and self.now.ahead_ms is not None
        if first or before.since != self.now.since or self.now.seen_ms >= self._kept_ms + KEEP_MS:
            self._keep_head()

    def put(self, entry: Entry) -> None:
        """Have an entry remembered; it is durable with the next commit."""
        self.now = self.now.put(entry)
        self._keep(entry)
        self._keep_head()

    def _keep(self, entry: Entry) -> None:
        place = self._slots.get(entry.id)
        if place is None:
            place = self._next % KEPT
            self._next = place + 1
            self._slots = {known: at for known, at in self._slots.items() if at != place}
            self._slots[entry.id] = place
        self._memory.remember(f"{_ENTRY}{place:03}", msgspec.json.encode(entry))

    def _keep_head(self) -> None:
        self._kept_ms = self.now.seen_ms
        head = _Head(self.now.fence, self._boot, self.now.ahead_ms, self.now.since, self.now.seen_ms)
        self._memory.remember(_HEAD, msgspec.json.encode(head))
