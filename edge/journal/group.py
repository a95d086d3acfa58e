"""Groups: what one commit journals, with absolute monotonic ticks, before it is sealed into a batch.

Pure: packs, weighs, splits, merges and turns groups into batches and back. It knows no file and no clock.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct, structs

from wire.messages import Batch, Clock, ClockFound, Event, Gap, Poll, Position, Tombstone

WEIGHT_MAX = 2000
"""Weight of a full batch; one reading weighs 1."""
POSITION_WEIGHT = 16
EVENT_WEIGHT = 8
GAP_WEIGHT = 8
_DEFLATE_ABOVE_BYTES = 256
_CUT = {"too_large": True}
"""Takes the place of an event's data that no frame can carry."""

Item = Poll | Position | Event | Gap | ClockFound | Tombstone


class Group(Struct, frozen=True, array_like=True, kw_only=True):
    """Everything that one commit journals, in order, of one boot under one clock."""

    boot: bytes
    clock: Clock
    polls: list[Poll] = []
    positions: list[Position] = []
    events: list[Event] = []
    gaps: list[Gap] = []
    clocks: list[ClockFound] = []
    tombstones: list[Tombstone] = []

    @property
    def readings(self) -> int:
        """How many readings and fixes it holds."""
        return sum(len(poll.counts) for poll in self.polls) + len(self.positions)

    @property
    def weight(self) -> int:
        """How much of a batch it fills."""
        rows = len(self.gaps) + len(self.clocks) + len(self.tombstones)
        polls = sum(len(poll.counts) for poll in self.polls)
        positions = len(self.positions) * POSITION_WEIGHT
        return polls + positions + len(self.events) * EVENT_WEIGHT + rows * GAP_WEIGHT


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Group)


def pack(group: Group) -> bytes:
    """Return the bytes that stand in the journal, deflated when that is worth it."""
    body = _encoder.encode(group)
    return b"z" + zlib.compress(body, 6) if len(body) > _DEFLATE_ABOVE_BYTES else b"p" + body


def unpack(data: bytes) -> Group:
    """Return the group; `ValueError` when the bytes are none."""
    try:
        return _decoder.decode(zlib.decompress(data[1:]) if data[:1] == b"z" else data[1:])
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"group of {len(data)} bytes: {error}") from None


def weigh(item: Item) -> int:
    """Return how much of a batch one item fills."""
    if isinstance(item, Poll):
        return len(item.counts)
    if isinstance(item, Position):
        return POSITION_WEIGHT
    return EVENT_WEIGHT if isinstance(item, Event) else GAP_WEIGHT


def gather(items: Iterable[Item], boot: bytes, clock: Clock) -> list[Group]:
    """Return the items as groups of at most a full batch each, in order."""
    groups: list[Group] = []
    chunk: list[Item] = []
    weight = 0
    for item in items:
        added = weigh(item)
        if chunk and weight + added > WEIGHT_MAX:
            groups.append(_group(chunk, boot, clock))
            chunk, weight = [], 0
        chunk.append(item)
        weight += added
    return [*groups, _group(chunk, boot, clock)] if chunk else groups


def _group(items: Sequence[Item], boot: bytes, clock: Clock) -> Group:
    return Group(
        boot=boot,
        clock=clock,
        polls=[item for item in items if isinstance(item, Poll)],
        positions=[item for item in items if isinstance(item, Position)],
        events=[item for item in items if isinstance(item, Event)],
        gaps=[item for item in items if isinstance(item, Gap)],
        clocks=[item for item in items if isinstance(item, ClockFound)],
        tombstones=[item for item in items if isinstance(item, Tombstone)],
    )


def mergeable(first: Group, second: Group) -> bool:
    """Whether two groups may stand in one batch: same boot, same clock but for its bound."""
    one, other = first.clock, second.clock
    return (
        first.boot == second.boot
        and one.state == other.state
        and one.offset_ticks == other.offset_ticks
        and one.source == other.source
    )


def merge(groups: Sequence[Group]) -> Group:
    """Return mergeable groups as one, with the widest bound."""
    bounds = [group.clock.bound_ms for group in groups]
    known = [bound for bound in bounds if bound is not None]
    first = groups[0]
    clock = Clock(
        first.clock.state, first.clock.offset_ticks, max(known) if known else None, first.clock.source
    )
    return Group(
        boot=first.boot,
        clock=clock,
        polls=[poll for group in groups for poll in group.polls],
        positions=[position for group in groups for position in group.positions],
        events=[event for group in groups for event in group.events],
        gaps=[gap for group in groups for gap in group.gaps],
        clocks=[clock for group in groups for clock in group.clocks],
        tombstones=[tombstone for group in groups for tombstone in group.tombstones],
    )


def without_readings(group: Group) -> Group:
    """Return what stays of a group when its readings have to go."""
    return structs.replace(group, polls=[], positions=[])


def without_events(group: Group) -> Group:
    """Return what stays of a group when its events have to go."""
    return structs.replace(group, events=[])


def split(group: Group) -> list[Group]:
    """Return a group that is too large for one batch as two; an event alone loses its data.

    Nothing is returned when it cannot become smaller.
    """
    items: list[Item] = [*group.polls, *group.positions, *group.events]
    items += [*group.gaps, *group.clocks, *group.tombstones]
    if len(items) > 1:
        middle = len(items) // 2
        return [_group(part, group.boot, group.clock) for part in (items[:middle], items[middle:])]
    if not group.events or group.events[0].data == _CUT:
        return []
    event = group.events[0]
    return [structs.replace(group, events=[Event(event.kind, event.subject, event.tick, dict(_CUT))])]


def is_empty(group: Group) -> bool:
    """Whether nothing is in it."""
    return group.weight == 0


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one layout's or one position point's readings (`@` in front of the point's name)."""

    key: str
    first: int
    last: int


def spans(group: Group) -> Iterator[Span]:
    """Yield for every layout and position point the ticks of its first and last reading."""
    found: dict[str, tuple[int, int]] = {}
    for key, tick in _readings(group):
        low, high = found.get(key, (tick, tick))
        found[key] = (min(low, tick), max(high, tick))
    for key, (low, high) in found.items():
        yield Span(key, low, high)


def _readings(group: Group) -> Iterator[tuple[str, int]]:
    for poll in group.polls:
        yield poll.layout, poll.tick
    for position in group.positions:
        yield "@" + position.point, position.tick


def base_tick(group: Group) -> int:
    """Return the earliest tick in it (0 when it holds none)."""
    ticks = [item.tick for items in (group.polls, group.positions, group.events) for item in items]
    ticks += [tick for gap in group.gaps for tick in (gap.from_tick, gap.to_tick) if tick is not None]
    return min(ticks, default=0)


def last_tick(group: Group) -> int | None:
    """Return the tick of its youngest reading or event, None when it holds neither."""
    ticks = [item.tick for items in (group.polls, group.positions, group.events) for item in items]
    return max(ticks, default=None)


def to_batch(
    group: Group, *, gateway: str, epoch: bytes, seq: int, previous: bytes, boot_number: int
) -> Batch:
    """Return the batch of a group: its ticks become relative."""
    base = base_tick(group)
    return Batch(
        gateway=gateway,
        epoch=epoch,
        seq=seq,
        previous=previous,
        boot=group.boot,
        boot_number=boot_number,
        clock=group.clock,
        base_tick=base,
        polls=[_poll(poll, -base) for poll in group.polls],
        positions=[structs.replace(position, tick=position.tick - base) for position in group.positions],
        events=[Event(event.kind, event.subject, event.tick - base, event.data) for event in group.events],
        gaps=[_gap(gap, -base) for gap in group.gaps],
        clocks=group.clocks,
        tombstones=group.tombstones,
    )


def from_batch(batch: Batch) -> Group:
    """Return the group that a batch was made of."""
    base = batch.base_tick
    return Group(
        boot=batch.boot,
        clock=batch.clock,
        polls=[_poll(poll, base) for poll in batch.polls],
        positions=[structs.replace(position, tick=position.tick + base) for position in batch.positions],
        events=[Event(event.kind, event.subject, event.tick + base, event.data) for event in batch.events],
        gaps=[_gap(gap, base) for gap in batch.gaps],
        clocks=batch.clocks,
        tombstones=batch.tombstones,
    )


def _poll(poll: Poll, shift: int) -> Poll:
    return Poll(poll.layout, poll.tick + shift, poll.counts, poll.flags)


def _gap(gap: Gap, shift: int) -> Gap:
    start = None if gap.from_tick is None else gap.from_tick + shift
    end = None if gap.to_tick is None else gap.to_tick + shift
    return Gap(gap.point, gap.cause, start, end, gap.reason)
