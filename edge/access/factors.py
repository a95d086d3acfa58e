"""What was shown at each side of a door, factor by factor, until it is decided or took too long. Pure."""

from dataclasses import dataclass

from rules.access.request import Factor
from rules.access.words import FactorKind


@dataclass(frozen=True, slots=True)
class Begun:
    """Somebody who has shown something and has to show more."""

    factors: tuple[Factor, ...]
    awaits: FactorKind
    until_ms: int


class Sequences:
    """Of all sides of one gateway; times are steady milliseconds."""

    def __init__(self) -> None:
        self._begun: dict[str, Begun] = {}

    def shown(self, side: str, factor: Factor, *, now_ms: int) -> tuple[tuple[Factor, ...], Begun | None]:
        """Return everything that the request is of, and what somebody else had begun and left there.

        What is not waited for begins anew. Of one kind the last counts.
        """
        begun = self._begun.pop(side, None)
        if begun is None:
            return (factor,), None
        if now_ms >= begun.until_ms or factor.kind != begun.awaits:
            return (factor,), begun
        first, *others = begun.factors
        return (first, *(one for one in others if one.kind != factor.kind), factor), None

    def awaits(self, side: str, begun: Begun) -> None:
        """Wait for more there."""
        self._begun[side] = begun

    def over(self, now_ms: int) -> list[tuple[str, Begun]]:
        """Return and forget what took too long, with its side."""
        found = [(side, one) for side, one in self._begun.items() if now_ms >= one.until_ms]
        for side, _ in found:
            del self._begun[side]
        return found

    @property
    def due_ms(self) -> int | None:
        """When `over` has something to say."""
        return min((one.until_ms for one in self._begun.values()), default=None)
