"""Judges batches against the ledger: what is new for sure, what may be there in part, what is there.

A batch *extends* its chain when it is the next number, names the hash of the last one and is newer than
everything of the gateway's other epochs; its readings are new for sure. Any other unknown number *fills*
a hole, and its readings are compared one by one: so a journal that was restored or set aside can send a
reading again under another number without it being stored twice.

That a chain holds no reading twice is known of one journal only. Where a number came with two hashes, or
a batch does not name the one before it, two journals go on in one epoch, and the epoch is closed; where a
number is missing, nobody knows yet. There a batch extends only when it is newer than its own epoch as well.
Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum

from cloud.ingest.group import Sealed
from cloud.store.batches import KnownRow
from cloud.store.ledger import EpochRow

_NO_HASH = bytes(32)
Place = tuple[int, bytes, int]
Epoch = tuple[int, bytes]
Link = tuple[bytes, bytes]
"""Hash of a batch, and of the one that it names as the one before."""


class Verdict(Enum):
    """What a batch is to the ledger."""

    EXTENDS = "extends"
    FILLS = "fills"
    KNOWN = "known"
    CONFLICT = "conflict"


class Judge:
    """Judges the batches of one transaction, from the rows that it locked."""

    def __init__(self, epochs: Sequence[EpochRow]) -> None:
        self._tips = {(row.gateway_id, row.epoch): (row.tip, row.tip_hash or _NO_HASH) for row in epochs}
        self._unproven = {(row.gateway_id, row.epoch) for row in epochs if row.closed or not row.whole}
        self._broken = {(row.gateway_id, row.epoch) for row in epochs if not row.whole}
        self._last: dict[int, dict[bytes, int]] = defaultdict(dict)
        self._seen: dict[Place, list[Link]] = defaultdict(list)
        self.closed: set[Epoch] = set()
        """Epochs in which these batches showed that two journals go on."""
        for row in epochs:
            if row.last_us is not None:
                self._last[row.gateway_id][row.epoch] = row.last_us

    def doubtful(self, batches: Iterable[Sealed]) -> list[Place]:
        """Return the places that may be there already, and beside them where numbers are missing."""
        found: set[Place] = set()
        for item in batches:
            gateway, epoch, seq = item.place
            if seq <= self._tip(item)[0]:
                beside = (gateway, epoch) in self._broken
                found.update((gateway, epoch, n) for n in range(seq - beside, seq + beside + 1))
        return sorted(found)

    def judge(self, batches: Iterable[Sealed], known: Iterable[KnownRow]) -> list[tuple[Sealed, Verdict]]:
        """Return every batch with its verdict, in the order of the chains."""
        for row in known:
            self._seen[row.gateway_id, row.epoch, row.seq].append((row.hash, row.previous))
        return [(item, self._one(item)) for item in sorted(batches, key=lambda item: item.place)]

    def is_clash(self, item: Sealed) -> bool:
        """Whether the number of a judged batch came with another hash before."""
        return self._seen[item.place][0][0] != item.hash

    def _one(self, item: Sealed) -> Verdict:
        seen = self._seen[item.place]
        if any(held == item.hash for held, _ in seen):
            return Verdict.KNOWN
        self._note_chain(item)
        verdict = Verdict.CONFLICT if seen else Verdict.EXTENDS if self._extends(item) else Verdict.FILLS
        seen.append((item.hash, item.batch.previous))
        if item.batch.seq > self._tip(item)[0]:
            self._tips[item.epoch] = item.batch.seq, item.hash
        if item.contents is not None and item.contents.last_us is not None:
            self._raise_last(item, item.contents.last_us)
        return verdict

    def _note_chain(self, item: Sealed) -> None:
        """Note what a new batch shows of its epoch: a missing number, or a second journal."""
        if item.batch.seq > self._tip(item)[0] + 1:
            self._unproven.add(item.epoch)
        elif self._seen[item.place] or not self._is_linked(item):
            self._unproven.add(item.epoch)
            self.closed.add(item.epoch)

    def _is_linked(self, item: Sealed) -> bool:
        """Whether a batch names the one before it and is named by the one after, as far as they are known."""
        gateway, epoch, seq = item.place
        tip, tip_hash = self._tip(item)
        if seq == tip + 1:
            return item.batch.previous == tip_hash
        before = self._seen.get((gateway, epoch, seq - 1), []) if seq > 1 else [(_NO_HASH, _NO_HASH)]
        after = self._seen.get((gateway, epoch, seq + 1), [])
        return all(digest == item.batch.previous for digest, _ in before) and all(
            previous == item.hash for _, previous in after
        )

    def _tip(self, item: Sealed) -> tuple[int, bytes]:
        return self._tips.get(item.epoch, (0, _NO_HASH))

    def _extends(self, item: Sealed) -> bool:
        tip, tip_hash = self._tip(item)
        if item.batch.seq != tip + 1 or item.batch.previous != tip_hash:
            return False
        if item.contents is None or item.contents.first_us is None:
            return True
        first = item.contents.first_us
        lasts = self._last[item.gateway.id]
        own = lasts.get(item.batch.epoch)
        if own is not None and (first == own or (first < own and item.epoch in self._unproven)):
            return False
        return all(last < first for epoch, last in lasts.items() if epoch != item.batch.epoch)

    def _raise_last(self, item: Sealed, last_us: int) -> None:
        lasts = self._last[item.gateway.id]
        lasts[item.batch.epoch] = max(last_us, lasts.get(item.batch.epoch, last_us))
