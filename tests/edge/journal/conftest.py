"""A journal in a folder of its own, with the keys and the clock that it is given."""

import hashlib
import itertools
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.journal.declared import Declared
from edge.journal.file import BatchKey, JournalFile, Surroundings
from edge.journal.group import Group, gather
from edge.journal.room import Limits
from edge.journal.salvage import Salvaged, begin_run
from edge.journal.sealer import Sealed, Sealer
from provisioning.keys import Ed25519Signer, verify_ed25519
from wire import frame
from wire.codec import decode_body
from wire.layouts import make_layout
from wire.messages import Batch, Clock, Layout, PointDeclaration, Poll
from wire.status import ClockState

GATEWAY = "lab-1"
TOPIC = "heng/1/lab-1/up/batch"
SYNCHRONISED = Clock(ClockState.SYNCHRONISED, 179_000_000_000, 5, "system")


@dataclass
class Bench:
    """Opens the same journal again and again, and remembers what is to be checked."""

    folder: Path
    limits: Limits = field(default_factory=lambda: Limits(10**9, 1e9))
    utc_s: int | None = 1_800_000_000
    signer: Ed25519Signer = field(default_factory=Ed25519Signer.generate)
    layout: Layout = field(default_factory=lambda: make_layout([f"room/{i}" for i in range(4)], [-2] * 4))
    boot: bytes = b"B" * 16
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open(self) -> JournalFile:
        """Open, which must not find damage."""
        journal, salvaged = self.open_any()
        assert salvaged is None
        return journal

    def open_any(self) -> tuple[JournalFile, Salvaged | None]:
        """Open, salvaging when needed, and start."""
        points = [
            PointDeclaration(name=name, quantity="temperature", exponent=-2) for name in self.layout.points
        ]
        journal, salvaged, _ = begin_run(
            self.folder, self.given(), lambda file: file.start(self.boot, Declared(points, [self.layout]))
        )
        return journal, salvaged

    def given(self) -> Surroundings:
        """What the journal is given: random ids that count."""
        return Surroundings(
            Sealer(GATEWAY, self.signer),
            lambda: next(self.ids).to_bytes(16, "big"),
            lambda: self.utc_s,
            self.limits,
        )

    def kill(self, journal: JournalFile) -> None:
        """Leave in the folder what a kill -9 at this moment would leave there."""
        copy = self.folder.with_name(self.folder.name + "-killed")
        shutil.copytree(self.folder, copy)
        journal.close(clean=False)
        shutil.rmtree(self.folder)
        copy.rename(self.folder)

    def poll(self, tick: int) -> Poll:
        """A poll that is identified by its tick."""
        return Poll(self.layout.id, tick, [tick, tick + 1, None, 3])

    def groups(self, *ticks: int, clock: Clock = SYNCHRONISED) -> list[Group]:
        """One group of the polls of these ticks."""
        return gather([self.poll(tick) for tick in ticks], self.boot, clock)

    def batch(self, sealed: Sealed) -> Batch:
        """Check a sealed batch from outside: signature, hash, number; return it."""
        taken = frame.decode(sealed.frame)
        verify = verify_ed25519(self.signer.public_key)
        assert verify(frame.signed_bytes(TOPIC, taken.body), taken.signature)
        assert hashlib.sha256(taken.body).digest() == sealed.hash
        batch = decode_body(taken.body, Batch)
        assert (batch.epoch, batch.seq, batch.gateway) == (sealed.epoch, sealed.seq, GATEWAY)
        return batch

    def ticks(self, sealed: Sealed) -> list[int]:
        """The absolute ticks of a batch's polls."""
        batch = self.batch(sealed)
        return [batch.base_tick + poll.tick for poll in batch.polls]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder without a journal."""
    return Bench(tmp_path / "data")


@pytest.fixture
def make_bench(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Bench]:
    """Makes fresh folders, for property tests."""
    return lambda: Bench(tmp_path_factory.mktemp("journal"))


@pytest.fixture
def files_up_to() -> Callable[[int], AbstractContextManager[None]]:
    """Lets the kernel refuse every write beyond a file size, as a full disk does."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


@pytest.fixture
def acknowledge() -> Callable[[JournalFile, Sealed], None]:
    """Acknowledges one batch."""
    return lambda journal, sealed: journal.acknowledge(BatchKey(sealed.epoch, sealed.seq))


@pytest.fixture
def drain(acknowledge: Callable[[JournalFile, Sealed], None]) -> Callable[[JournalFile], list[Sealed]]:
    """Takes everything out of a journal, as the uplink would, acknowledging all of it."""

    def take(journal: JournalFile) -> list[Sealed]:
        _, found = journal.unsent(0, 10_000)
        while more := journal.seal_backlog(8):
            found += more
        for sealed in found:
            acknowledge(journal, sealed)
        journal.flush()
        return found

    return take
