"""What is in flight between gateway and hub: sent, durable, not acknowledged. Pure accounts, no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.journal.file import BatchKey
from edge.journal.sealer import Sealed
from wire.messages import Ack

BACKLOG_BYTES_FIRST = 64 * 1024
BACKLOG_BYTES_LEAST = 16 * 1024
BACKLOG_BYTES_MOST = 1024 * 1024
_FAST_S = 0.5
_SLOW_S = 1.5


@dataclass(slots=True)
class Flight:
    """One batch on its way."""

    hash: bytes
    size: int
    fresh: bool
    first_sent_at: float | None
    """When it was sent for the first time ever; None when that was not seen."""
    sent_at: float
    """When it was first sent on this connection."""
    due_at: float
    tries: int = 1
    disputed: bool = False
    """The hub answered with another hash: it is sent on, and takes no room from the others."""


@dataclass(slots=True)
class Verdict:
    """What an ack means for what is in flight."""

    done: list[BatchKey] = field(default_factory=list)
    sent_at: float | None = None
    """When the youngest of them was sent for the first time: the ack was signed between then and now."""


class Flights:
    """All batches in flight, and how many more may go."""

    def __init__(self, window: int, *, resend_s: float, resend_max_s: float) -> None:
        """`window` bounds the number of batches in flight."""
        self._window = window
        self._resend_s = resend_s
        self._resend_max_s = resend_max_s
        self._flights: dict[BatchKey, Flight] = {}
        self._backlog_bytes_max = BACKLOG_BYTES_FIRST

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: BatchKey) -> bool:
        return key in self._flights

    @property
    def keys(self) -> frozenset[BatchKey]:
        """The batches in flight."""
        return frozenset(self._flights)

    def add(self, sealed: Sealed, now: float, *, fresh: bool, earlier: bool = False) -> None:
        """A batch is sent; one that is `earlier` may have been sent before by somebody else."""
        flight = Flight(
            sealed.hash, len(sealed.frame), fresh, None if earlier else now, now, now + self._resend_s
        )
        self._flights[BatchKey(sealed.epoch, sealed.seq)] = flight

    def forget(self, key: BatchKey) -> None:
        """A batch is no longer there to be sent."""
        self._flights.pop(key, None)

    def connected(self, now: float) -> None:
        """A new connection: everything is due at once."""
        for flight in self._flights.values():
            flight.sent_at = flight.due_at = now

    def due(self, now: float) -> list[BatchKey]:
        """Return what has to be sent again, and count it as sent."""
        found = [key for key, flight in self._flights.items() if flight.due_at <= now]
        for key in found:
            flight = self._flights[key]
            wait = min(self._resend_max_s, self._resend_s * 2.0 ** min(flight.tries, 16))
            flight.due_at = now + wait
            flight.tries += 1
            if not flight.disputed:
                self._backlog_bytes_max = max(BACKLOG_BYTES_LEAST, self._backlog_bytes_max // 2)
        return found

    def next_due(self) -> float | None:
        """Return when the next batch has to be sent again."""
        return min((flight.due_at for flight in self._flights.values()), default=None)

    def fresh_room(self) -> int:
        """How many fresh batches may go now."""
        return max(0, self._window - self._counted())

    def earlier_room(self) -> int:
        """How many batches that were sealed by an earlier process may go now."""
        return max(0, self._window - 1 - self._counted())

    def backlog_room(self) -> int:
        """How many batches of backlog may be sealed and sent now; fresh ones always find room beside them."""
        flights = self._flights.values()
        backlog = sum(flight.size for flight in flights if not flight.fresh and not flight.disputed)
        if backlog >= self._backlog_bytes_max:
            return 0
        return max(0, min(4, self._window * 3 // 4 - self._counted()))

    def _counted(self) -> int:
        return sum(not flight.disputed for flight in self._flights.values())

    def judge(self, ack: Ack, now: float) -> Verdict:
        """Return what an ack settles, and take it out; a hash that is not ours settles nothing."""
        verdict = Verdict()
        for key, digest in _named(ack):
            flight = self._flights.get(key)
            if flight is None:
                continue
            if flight.hash != digest:
                flight.disputed = True
                continue
            if flight.first_sent_at is not None:
                verdict.sent_at = max(verdict.sent_at or 0.0, flight.first_sent_at)
            verdict.done.append(key)
            del self._flights[key]
            self._adapt(flight, now)
        return verdict

    def _adapt(self, flight: Flight, now: float) -> None:
        """Let more backlog fly while the line is fast, less when it is slow."""
        if flight.disputed:
            return
        took = now - flight.sent_at
        if flight.tries == 1 and took < _FAST_S and not flight.fresh:
            self._backlog_bytes_max = min(BACKLOG_BYTES_MOST, self._backlog_bytes_max + flight.size)
        elif took > _SLOW_S:
            self._backlog_bytes_max = max(BACKLOG_BYTES_LEAST, self._backlog_bytes_max // 2)


def _named(ack: Ack) -> Iterator[tuple[BatchKey, bytes]]:
    for committed in ack.committed:
        for index, digest in enumerate(committed.hashes):
            yield BatchKey(committed.epoch, committed.first + index), digest
