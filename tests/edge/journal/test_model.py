"""Any order of append, seal, ack, kill and restart: nothing lost, nothing twice, chains without holes."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from edge.journal.file import BatchKey
from edge.journal.sealer import NO_HASH, Sealed

if TYPE_CHECKING:
    from tests.edge.journal.conftest import Bench


class Machine(RuleBasedStateMachine):
    """The hub's side is a ledger by (epoch, number) that keeps what it got first."""

    make: Callable[[], "Bench"]

    def __init__(self) -> None:
        super().__init__()
        self.bench = type(self).make()
        self.journal = self.bench.open()
        self.appended: list[int] = []
        self.tick = 0
        self.sent: dict[BatchKey, Sealed] = {}
        self.ledger: dict[BatchKey, Sealed] = {}

    def teardown(self) -> None:
        self.journal.close(clean=False)

    def _send(self, batches: list[Sealed]) -> None:
        for sealed in batches:
            key = BatchKey(sealed.epoch, sealed.seq)
            assert self.sent.setdefault(key, sealed).hash == sealed.hash
            self.sent[key] = sealed

    @rule(polls=st.integers(1, 3), seal=st.integers(0, 2), groups=st.integers(1, 3))
    def append(self, polls: int, seal: int, groups: int) -> None:
        made = []
        for _ in range(groups):
            ticks = [self.tick + place for place in range(polls)]
            self.tick += polls
            self.appended += ticks
            made += self.bench.groups(*ticks)
        self._send(self.journal.append(made, seal=seal))

    @rule(count=st.integers(1, 4))
    def seal_backlog(self, count: int) -> None:
        self._send(self.journal.seal_backlog(count))

    @rule(choice=st.randoms(use_true_random=False))
    def store_and_acknowledge(self, choice: random.Random) -> None:
        for key, sealed in list(self.sent.items()):
            if choice.random() < 0.5:
                self.ledger.setdefault(key, sealed)
                if choice.random() < 0.7:
                    self.journal.acknowledge(key)
                    del self.sent[key]

    @rule()
    def flush(self) -> None:
        self.journal.flush()

    @rule()
    def new_epoch(self) -> None:
        self.journal.new_epoch([self.journal.head.epoch])

    @rule(clean=st.booleans())
    def restart(self, clean: bool) -> None:
        self.journal.close(clean=clean)
        self.journal = self.bench.open()
        self._resend()

    @rule()
    def kill(self) -> None:
        """The files as they are at this moment are all that a kill -9 leaves."""
        self.bench.kill(self.journal)
        self.journal = self.bench.open()
        self._resend()

    def _resend(self) -> None:
        _, found = self.journal.unsent(0, 10_000)
        in_file = {BatchKey(sealed.epoch, sealed.seq) for sealed in found}
        assert in_file >= self.sent.keys() - self.ledger.keys()
        self._send(found)

    @invariant()
    def nothing_is_sealed_twice(self) -> None:
        every = {**self.ledger, **self.sent}
        ticks = [tick for sealed in every.values() for tick in self.bench.ticks(sealed)]
        assert len(ticks) == len(set(ticks))
        assert set(ticks) <= set(self.appended)

    @invariant()
    def chains_have_no_holes(self) -> None:
        chains: dict[bytes, dict[int, Sealed]] = {}
        for key, sealed in {**self.ledger, **self.sent}.items():
            chains.setdefault(key.epoch, {})[key.seq] = sealed
        for chain in chains.values():
            assert sorted(chain) == list(range(1, len(chain) + 1))
            for seq, sealed in chain.items():
                assert self.bench.batch(sealed).previous == (chain[seq - 1].hash if seq > 1 else NO_HASH)

    @rule()
    def drain_everything(self) -> None:
        while batches := self.journal.seal_backlog(4):
            self._send(batches)
        every = {**self.ledger, **self.sent}
        ticks = [tick for sealed in every.values() for tick in self.bench.ticks(sealed)]
        assert sorted(ticks) == self.appended


@pytest.mark.slow
@pytest.mark.requirement("G-3.6", "G-7.2b")
def test_any_order_loses_nothing_and_doubles_nothing(
    make_bench: Callable[[], "Bench"], tmp_path: Path
) -> None:
    class Made(Machine):
        make = staticmethod(make_bench)

    run_state_machine_as_test(Made, settings=settings(max_examples=30, stateful_step_count=25, deadline=None))
