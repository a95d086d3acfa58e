"""Stretches of time: half open, in ticks; joined, cut and taken away."""

from collections.abc import Iterable

from msgspec import Struct


class Span(Struct, frozen=True, array_like=True, order=True):
    """From `start` to before `end`."""

    start: int
    end: int

    @property
    def ticks(self) -> int:
        """How long it is."""
        return self.end - self.start

    def covers(self, at: int) -> bool:
        """Whether an instant lies in it."""
        return self.start <= at < self.end


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in order, without overlap; what touches is one, what is empty is left out."""
    found: list[Span] = []
    for span in sorted(spans):
        if span.end <= span.start:
            continue
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def within(spans: Iterable[Span], bounds: Iterable[Span]) -> tuple[Span, ...]:
    """Return what of `spans` lies within `bounds`."""
    frames = joined(bounds)
    cut = (Span(max(span.start, frame.start), min(span.end, frame.end)) for span in spans for frame in frames)
    return joined(cut)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """Return what of `spans` lies outside `holes`."""
    left: list[Span] = []
    gaps = joined(holes)
    for span in joined(spans):
        start = span.start
        for hole in gaps:
            if hole.end <= start or hole.start >= span.end:
                continue
            left.append(Span(start, hole.start))
            start = hole.end
        left.append(Span(start, span.end))
    return joined(left)


def total(spans: Iterable[Span]) -> int:
    """Return how long spans are together, overlaps once."""
    return sum(span.ticks for span in joined(spans))
