"""A decoded batch becomes what is stored of it: readings, positions, events, gaps, in event time.

Pure: the directory and the clock are passed in, nothing is read or written. What cannot be placed is told
with the reason, and the batch is kept until it can.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import cast

import numpy as np

from cloud.ingest.directory import Directory, Segment, Unknown
from cloud.store.directory import GatewayRow
from cloud.store.events import EventRow
from cloud.store.gaps import GapRow
from cloud.store.readings_write import ABSENT_FROM, PositionRow, Readings
from cloud.store.ticks import EARLIEST_US, LATEST_US, us_of_tick
from wire.messages import Batch, Clock, Event, Gap, Poll, Position
from wire.status import ClockState, Status

_INT64 = range(-(2**63), 2**63)


class UnplaceableError(Exception):
    """The batch cannot be placed now; the text is kept with it."""


@dataclass(frozen=True, slots=True)
class PlacedPoll:
    """One poll with its points and its time; `counts` are those of the points."""

    segment: Segment
    observed_us: int
    counts: Sequence[int]
    flags: Sequence[tuple[int, int]]


@dataclass(slots=True)
class Contents:
    """What is stored of one batch."""

    organisation_id: int
    status: int
    """Status of every reading that has none of its own."""
    polls: list[PlacedPoll] = field(default_factory=list)
    positions: list[PositionRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    gaps: list[GapRow] = field(default_factory=list)
    first_us: int | None = None
    last_us: int | None = None

    def note(self, us: int) -> None:
        """Widen the batch's span."""
        if self.first_us is None or us < self.first_us:
            self.first_us = us
        if self.last_us is None or us > self.last_us:
            self.last_us = us


def count_readings(batch: Batch) -> int:
    """Return how many readings a batch carries."""
    return sum(len(poll.counts) for poll in batch.polls)


def resolve(batch: Batch, clock: Clock, gateway: GatewayRow, *, directory: Directory) -> Contents:
    """Return what is stored of a batch whose clock has an offset; `UnplaceableError` says why not."""
    assert clock.offset_ticks is not None
    bracketed = clock.state is ClockState.UNSYNCHRONISED
    contents = Contents(gateway.organisation_id, Status.TIME_BRACKETED if bracketed else Status.GOOD)
    base = batch.base_tick + clock.offset_ticks
    for poll in batch.polls:
        contents.polls.append(_poll(poll, _time(base + poll.tick), gateway, directory=directory))
        contents.note(contents.polls[-1].observed_us)
    for position in batch.positions:
        contents.positions.append(
            _position(position, _time(base + position.tick), gateway, directory=directory)
        )
        contents.note(contents.positions[-1].observed_us)
    for event in batch.events:
        contents.events.append(_event(event, _time(base + event.tick), gateway, directory=directory))
        contents.note(contents.events[-1].observed_us)
    for gap in batch.gaps:
        contents.gaps.append(_gap(gap, batch, base=base, gateway=gateway, directory=directory))
    return contents


def _time(utc_tick: int) -> int:
    us = us_of_tick(utc_tick)
    if not EARLIEST_US <= us < LATEST_US:
        raise UnplaceableError("its times lie outside 2000 to 2200")
    return us


def _poll(poll: Poll, us: int, gateway: GatewayRow, *, directory: Directory) -> PlacedPoll:
    segment = directory.segment(gateway.id, poll.layout, us)
    if isinstance(segment, Unknown):
        raise UnplaceableError(segment.reason)
    if len(poll.counts) != len(segment.point_ids):
        raise UnplaceableError(
            f"layout {poll.layout} has {len(segment.point_ids)} points, the poll has {len(poll.counts)}"
        )
    if poll.flags or None in poll.counts:
        _check_flags(poll)
        counts = [0 if count is None else count for count in poll.counts]
    else:
        counts = cast("list[int]", poll.counts)
    if segment.factors is not None:
        counts = [count * factor for count, factor in zip(counts, segment.factors, strict=True)]
        if any(count not in _INT64 for count in counts):
            raise UnplaceableError(f"counts of layout {poll.layout} are too large for their points")
    return PlacedPoll(segment, us, counts, poll.flags)


def _check_flags(poll: Poll) -> None:
    statuses = dict(poll.flags)
    if len(statuses) != len(poll.flags) or not all(0 <= place < len(poll.counts) for place in statuses):
        raise UnplaceableError("flags name a place twice, or one that the poll does not have")
    absent = {place for place, count in enumerate(poll.counts) if count is None}
    if absent != {place for place, status in statuses.items() if status >= ABSENT_FROM}:
        raise UnplaceableError("flags and absent values do not name the same places")


def _position(position: Position, us: int, gateway: GatewayRow, *, directory: Directory) -> PositionRow:
    point = directory.point(gateway.id, position.point, us)
    if isinstance(point, Unknown):
        raise UnplaceableError(point.reason)
    return PositionRow(
        observed_us=us,
        point_id=point,
        organisation_id=gateway.organisation_id,
        mode=position.mode,
        latitude_e9=position.latitude_e9,
        longitude_e9=position.longitude_e9,
        altitude_mm=position.altitude_mm,
        speed_mm_s=position.speed_mm_s,
        course_mdeg=position.course_mdeg,
        climb_mm_s=position.climb_mm_s,
        error_horizontal_mm=position.error_horizontal_mm,
        error_vertical_mm=position.error_vertical_mm,
        error_speed_mm_s=position.error_speed_mm_s,
        satellites_used=position.satellites_used,
        gnss_time_ms=position.gnss_time_ms,
    )


def _event(event: Event, us: int, gateway: GatewayRow, *, directory: Directory) -> EventRow:
    return EventRow(
        organisation_id=gateway.organisation_id,
        gateway_id=gateway.id,
        site_id=directory.site(gateway.id, us),
        observed_us=us,
        kind=event.kind,
        subject=event.subject,
        data=event.data,
    )


def _gap(gap: Gap, batch: Batch, *, base: int, gateway: GatewayRow, directory: Directory) -> GapRow:
    start = None if gap.from_tick is None else _time(base + gap.from_tick)
    end = None if gap.to_tick is None else _time(base + gap.to_tick)
    if start is not None and end is not None and start > end:
        raise UnplaceableError(f"a gap of {gap.point} ends before it starts")
    at = start if start is not None else end
    point = directory.point(gateway.id, gap.point, LATEST_US if at is None else at)
    if isinstance(point, Unknown):
        raise UnplaceableError(point.reason)
    return GapRow(
        organisation_id=gateway.organisation_id,
        point_id=point,
        gateway_id=gateway.id,
        key=f"{batch.boot.hex()}/{_begun(gap, batch.base_tick)}/{gap.cause.value}",
        cause=gap.cause.value,
        reason=gap.reason,
        from_us=start,
        to_us=end,
    )


def _begun(gap: Gap, base_tick: int) -> str:
    """Return what tells a gap from the point's other gaps: its start, or its end when its start is open."""
    if gap.from_tick is not None:
        return str(base_tick + gap.from_tick)
    return "" if gap.to_tick is None else f"until {base_tick + gap.to_tick}"


def columns(contents: Sequence[Contents]) -> Readings:
    """Return the readings of many batches as columns, in order."""
    polls = [poll for item in contents for poll in item.polls]
    lengths = np.fromiter((len(poll.counts) for poll in polls), np.int64, len(polls))
    batch_lengths = np.fromiter(
        (sum(len(poll.counts) for poll in item.polls) for item in contents), np.int64, len(contents)
    )
    total = int(lengths.sum())
    status = np.repeat(
        np.fromiter((item.status for item in contents), np.int64, len(contents)), batch_lengths
    )
    start = 0
    for poll in polls:
        for place, code in poll.flags:
            status[start + place] = code
        start += len(poll.counts)
    return Readings(
        observed_us=np.repeat(np.fromiter((p.observed_us for p in polls), np.int64, len(polls)), lengths),
        raw=np.fromiter(chain.from_iterable(poll.counts for poll in polls), np.int64, total),
        point_id=_joined([poll.segment.point_ids for poll in polls]),
        organisation_id=np.repeat(
            np.fromiter((item.organisation_id for item in contents), np.int64, len(contents)), batch_lengths
        ),
        status=status,
    )


def _joined(arrays: "list[np.typing.NDArray[np.int64]]") -> "np.typing.NDArray[np.int64]":
    return np.concatenate(arrays) if arrays else np.empty(0, np.int64)
