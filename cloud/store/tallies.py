"""Aggregates of counts and how they become buckets of exact values; pure arithmetic, no database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from cloud.store.buckets import Stretch
from cloud.store.calibration import Scale
from cloud.store.status_words import status_word


@dataclass(frozen=True, slots=True)
class Bucket:
    """The readings from `from_at` until before `to_at`; exact decimals, None when all of them are absent."""

    from_at: datetime
    to_at: datetime
    n: int
    """Readings with a value."""
    absent: int
    """Readings without one."""
    min: str | None
    max: str | None
    first: str | None
    last: str | None
    mean: str | None
    """Rounded half-even, two places finer than the values. None also where no one straight line of correction
    holds for the whole bucket."""
    status: str
    """The worst status among them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """An aggregate of counts of one scale over (a part of) the bucket that begins at `start`."""

    start: datetime
    n: int
    absent: int
    total: int
    low: int | None
    high: int | None
    first: int | None
    last: int | None
    worst: int


@dataclass(frozen=True, slots=True)
class Part:
    """A tally of the readings from `since` on, with what its counts mean; None when nothing was declared."""

    since: datetime
    scale: Scale | None
    tally: Tally


def make_buckets(parts: Iterable[Part], step: timedelta, span: Stretch) -> list[Bucket]:
    """Return one bucket for each start among the parts, in order, with its ends clipped to `span`."""
    ordered = sorted(parts, key=lambda part: (part.tally.start, part.since))
    return [
        _bucket(list(group), (max(start, span[0]), min(start + step, span[1])))
        for start, group in groupby(ordered, key=lambda part: part.tally.start)
    ]


def join(tallies: Sequence[Tally]) -> Tally:
    """Return one tally for several of the same scale, given in the order of time."""
    lows = [tally.low for tally in tallies if tally.low is not None]
    highs = [tally.high for tally in tallies if tally.high is not None]
    return Tally(
        start=tallies[0].start,
        n=sum(tally.n for tally in tallies),
        absent=sum(tally.absent for tally in tallies),
        total=sum(tally.total for tally in tallies),
        low=min(lows, default=None),
        high=max(highs, default=None),
        first=next((tally.first for tally in tallies if tally.first is not None), None),
        last=next((tally.last for tally in reversed(tallies) if tally.last is not None), None),
        worst=max(tally.worst for tally in tallies),
    )


def _bucket(parts: list[Part], ends: Stretch) -> Bucket:
    """Join the parts of one bucket; counts of the same scale are joined before they are corrected."""
    pieces = []
    for _, group in groupby(parts, key=lambda part: id(part.scale)):
        same = list(group)
        tally = same[0].tally if len(same) == 1 else join([part.tally for part in same])
        pieces.append(_corrected(tally, same[0].scale, ends))
    return pieces[0] if len(pieces) == 1 else _across(pieces, max(part.tally.worst for part in parts))


def _corrected(tally: Tally, scale: Scale | None, ends: Stretch) -> Bucket:
    low, high, first, last = tally.low, tally.high, tally.first, tally.last
    status = status_word(tally.worst)
    if scale is None or low is None or high is None or first is None or last is None:
        return Bucket(*ends, tally.n, tally.absent, None, None, None, None, None, status)
    mean = scale.mean(tally.total, tally.n, low=low, high=high)
    values = (scale.value(low), scale.value(high), scale.value(first), scale.value(last))
    return Bucket(*ends, tally.n, tally.absent, *values, mean, status)


def _across(pieces: Sequence[Bucket], worst: int) -> Bucket:
    """Join pieces of one bucket whose counts mean different things; given in the order of time."""
    known = [piece for piece in pieces if piece.min is not None]
    return Bucket(
        from_at=pieces[0].from_at,
        to_at=pieces[0].to_at,
        n=sum(piece.n for piece in pieces),
        absent=sum(piece.absent for piece in pieces),
        min=min((piece.min or "" for piece in known), key=Decimal, default=None),
        max=max((piece.max or "" for piece in known), key=Decimal, default=None),
        first=known[0].first if known else None,
        last=known[-1].last if known else None,
        mean=known[0].mean if len(known) == 1 else None,
        status=status_word(worst),
    )
