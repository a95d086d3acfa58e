"""Batches that share a commit, from opened messages to columns that are ready for the database.

It runs in the worker thread, before the transaction, so that preparing one group overlaps with committing
the one before. Nothing is read or written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.ingest.directory import Directory
from cloud.ingest.resolve import Contents, UnplaceableError, columns, count_readings, resolve
from cloud.opening import Opened
from cloud.store.directory import GatewayRow
from cloud.store.readings_write import Readings, by_point_and_time, copy_bytes, newest
from cloud.store.ticks import us_of_datetime
from wire.codec import body_hash
from wire.messages import Batch, Clock


@dataclass(slots=True)
class Sealed:
    """One batch with what is known of it before the transaction."""

    batch: Batch
    gateway: GatewayRow
    hash: bytes
    key_id: bytes
    signature: bytes
    body: bytes
    received_us: int
    readings: int
    clock: Clock
    """As sealed; replaced when time was found later."""
    contents: Contents | None = None
    reason: str = ""
    """Why there are no contents."""

    @property
    def place(self) -> tuple[int, bytes, int]:
        """(gateway, epoch, seq)."""
        return self.gateway.id, self.batch.epoch, self.batch.seq

    @property
    def epoch(self) -> tuple[int, bytes]:
        """(gateway, epoch)."""
        return self.gateway.id, self.batch.epoch

    @property
    def boot(self) -> tuple[int, bytes]:
        """(gateway, boot)."""
        return self.gateway.id, self.batch.boot


@dataclass(frozen=True, slots=True)
class Ready:
    """Readings of some batches, sorted for the index, as COPY bytes, and the newest of each point."""

    contents: Sequence[Contents]
    readings: Readings
    stream: bytes
    newest: Readings

    def holds(self, contents: Sequence[Contents]) -> bool:
        """Whether these are exactly the batches it was made from."""
        return {id(item) for item in contents} == {id(item) for item in self.contents}


@dataclass(frozen=True, slots=True)
class Group:
    """Batches that share a commit, under one version of the directory."""

    batches: list[Sealed]
    directory: Directory
    ready: Ready
    """The readings of all batches that have contents."""


def prepare(items: Sequence[Opened], directory: Directory) -> Group:
    """Return a group from opened batch messages."""
    return regroup([_sealed(item, directory) for item in items], directory)


def regroup(batches: list[Sealed], directory: Directory) -> Group:
    """Resolve batches (again) under this directory."""
    for item in batches:
        item.clock, item.contents = item.batch.clock, None
        settle(item, directory)
    return Group(batches, directory, make_ready([b.contents for b in batches if b.contents is not None]))


def settle(item: Sealed, directory: Directory) -> None:
    """Give a batch its contents, or the reason why it has none yet."""
    if item.clock.offset_ticks is None:
        item.reason = "no time has been found for its boot yet"
        return
    try:
        item.contents = resolve(item.batch, item.clock, item.gateway, directory=directory)
        item.reason = ""
    except UnplaceableError as error:
        item.reason = str(error)


def make_ready(contents: Sequence[Contents]) -> Ready:
    """Return the readings of these batches in the order of the index, equal ones once."""
    ordered = by_point_and_time(columns(contents))
    return Ready(contents, ordered, copy_bytes(ordered), newest(ordered))


def _sealed(item: Opened, directory: Directory) -> Sealed:
    batch = item.message
    assert isinstance(batch, Batch)
    return Sealed(
        batch=batch,
        gateway=directory.gateways[item.topic.gateway],
        hash=body_hash(item.frame.body),
        key_id=item.frame.key_id,
        signature=item.frame.signature,
        body=item.frame.body,
        received_us=us_of_datetime(item.arrived.received_at),
        readings=count_readings(batch),
        clock=batch.clock,
    )
