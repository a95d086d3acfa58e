"""Judges batches against the ledger: what is new for sure, what may be there in part, what is there.

A batch *extends* its chain when it is the next number, names the hash of the last one and is newer than
everything of the gateway's other epochs; its readings are new for sure. Any other unknown number *fills*
a hole, and its readings are compared one by one: so a journal that was restored or set aside can send a
reading again under another number without it being stored twice. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum

from cloud.ingest.group import Sealed
from cloud.store.batches import KnownRow
from cloud.store.ledger import EpochRow

_NO_HASH = bytes(32)
Place = tuple[int, bytes, int]


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
        self._last: dict[int, dict[bytes, int]] = defaultdict(dict)
        self._seen: dict[Place, list[bytes]] = defaultdict(list)
        for row in epochs:
            if row.last_us is not None:
                self._last[row.gateway_id][row.epoch] = row.last_us

    def doubtful(self, batches: Iterable[Sealed]) -> list[Place]:
        """Return the places at or below the highest received number: they may be there already."""
        return [b.place for b in batches if b.batch.seq <= self._tip(b)[0]]

    def judge(self, batches: Iterable[Sealed], known: Iterable[KnownRow]) -> list[tuple[Sealed, Verdict]]:
        """Return every batch with its verdict, in the order of the chains."""
        for row in known:
            self._seen[row.gateway_id, row.epoch, row.seq].append(row.hash)
        return [(item, self._one(item)) for item in sorted(batches, key=lambda item: item.place)]

    def held(self, item: Sealed) -> bytes:
        """Return the hash under which this number counts: that of the batch that came first."""
        return self._seen[item.place][0]

    def _one(self, item: Sealed) -> Verdict:
        hashes = self._seen[item.place]
        if hashes:
            verdict = Verdict.KNOWN if item.hash in hashes else Verdict.CONFLICT
        else:
            verdict = Verdict.EXTENDS if self._extends(item) else Verdict.FILLS
        if verdict is not Verdict.KNOWN:
            hashes.append(item.hash)
        if item.batch.seq > self._tip(item)[0]:
            self._tips[item.gateway.id, item.batch.epoch] = item.batch.seq, item.hash
        if verdict is not Verdict.KNOWN and item.contents is not None and item.contents.last_us is not None:
            self._raise_last(item, item.contents.last_us)
        return verdict

    def _tip(self, item: Sealed) -> tuple[int, bytes]:
        return self._tips.get((item.gateway.id, item.batch.epoch), (0, _NO_HASH))

    def _extends(self, item: Sealed) -> bool:
        tip, tip_hash = self._tip(item)
        if item.batch.seq != tip + 1 or item.batch.previous != tip_hash:
            return False
        if item.contents is None or item.contents.first_us is None:
            return True
        first = item.contents.first_us
        others = self._last[item.gateway.id].items()
        return all(last < first for epoch, last in others if epoch != item.batch.epoch)

    def _raise_last(self, item: Sealed, last_us: int) -> None:
        lasts = self._last[item.gateway.id]
        lasts[item.batch.epoch] = max(last_us, lasts.get(item.batch.epoch, last_us))
