"""Accounts of what is in flight: room for others, and when an ack can have been signed."""

from dataclasses import dataclass

from edge.flight import BACKLOG_BYTES_FIRST, Flights
from edge.journal.file import BatchKey
from edge.journal.sealer import Sealed
from wire.messages import Ack, AckRange

EPOCH = b"e" * 16


def sealed(seq: int, size: int = 1000) -> Sealed:
    return Sealed(EPOCH, seq, seq.to_bytes(32, "big"), bytes(size), 1)


def ack(*batches: Sealed, digest: bytes | None = None) -> Ack:
    return Ack(
        gateway="lab-1",
        hub_time_ms=0,
        committed=[AckRange(one.epoch, one.seq, [digest or one.hash]) for one in batches],
    )


@dataclass
class Line:
    """A window of flights."""

    flights: Flights

    def resend_for(self, seconds: int) -> int:
        """Let time pass; return how often something was due."""
        return sum(len(self.flights.due(float(second))) for second in range(seconds))


def flights(window: int = 8) -> Flights:
    return Flights(window, resend_s=10, resend_max_s=120)


def test_batch_that_the_hub_knows_by_another_hash_takes_no_room() -> None:
    line = flights()
    stuck = [sealed(seq, BACKLOG_BYTES_FIRST) for seq in range(1, 9)]
    for one in stuck:
        line.add(one, 0.0, fresh=False)
    assert (line.fresh_room(), line.backlog_room()) == (0, 0)
    assert line.judge(ack(*stuck, digest=b"x" * 32), 0.1).done == []
    assert (line.fresh_room(), line.earlier_room(), line.backlog_room()) == (8, 7, 4)


def test_disputed_batch_is_sent_on_without_slowing_the_others_and_settled_by_its_own_hash() -> None:
    line = flights()
    stuck = sealed(1, 1000)
    line.add(stuck, 0.0, fresh=False)
    line.judge(ack(stuck, digest=b"x" * 32), 0.1)
    assert Line(line).resend_for(2000) > 10
    line.add(sealed(2, BACKLOG_BYTES_FIRST - 1), 2000.0, fresh=False)
    assert line.backlog_room() > 0
    assert line.judge(ack(stuck), 2001.0).done == [BatchKey(EPOCH, 1)]
    assert line.backlog_room() > 0
    assert BatchKey(EPOCH, 1) not in line


def test_ack_after_a_new_connection_may_answer_the_first_sending() -> None:
    line = flights()
    one = sealed(1)
    line.add(one, 5.0, fresh=True)
    line.connected(100.0)
    assert line.judge(ack(one), 100.1).sent_at == 5.0


def test_ack_of_a_batch_that_an_earlier_process_may_have_sent_says_nothing_about_time() -> None:
    line = flights()
    one = sealed(1)
    line.add(one, 5.0, fresh=False, earlier=True)
    verdict = line.judge(ack(one), 5.1)
    assert verdict.done
    assert verdict.sent_at is None


def test_everything_is_due_on_a_new_connection() -> None:
    line = flights()
    line.add(sealed(1), 0.0, fresh=True)
    assert line.due(5.0) == []
    line.connected(5.0)
    assert line.due(5.0) == [BatchKey(EPOCH, 1)]
