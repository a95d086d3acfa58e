"""What of control does not do its work, for the hub to say so: parts that end by bugs, outputs that fail.

It mends nothing: parts are begun again by the supervisor, outputs are tried again by who holds them.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from msgspec import structs

from edge.control.given import Given, Member, Seen
from wire.control import LISTED_MAX, ControlStatus, FaultNow
from wire.messages import TICK_MS, TICKS_PER_S, Event, as_text

STEADY_S = 90
"""So long a part has to have run since a bug ended it; one that ends at once is begun again within 60 s."""
FAILING_S = 10
"""So long an output has to fail before it counts: a relay that is slow once is none of it."""
PART_FAILED = "part_failed"


@dataclass(slots=True)
class _Fault:
    reason: str
    since: int
    last: int
    """Ticks."""
    at_ms: int | None = None


class Broken(Member):
    """Remembers what failed until it works again."""

    def __init__(
        self, given: Given, *, troubles: Callable[[], Mapping[str, str]], changed: Callable[[], None]
    ) -> None:
        """`troubles` names outputs that fail now, and why; `changed` has the hub told soon."""
        self._given = given
        self._troubles = troubles
        self._changed = changed
        self._parts: dict[str, _Fault] = {}
        self._outputs: dict[str, _Fault] = {}
        self.names: Collection[str] = ()
        """The parts of control; those of the rest of the gateway are no matter of it."""

    def look(self, item: Seen) -> None:
        """Take note of a part that ended by a bug."""
        if isinstance(item, Event) and item.kind == PART_FAILED and item.subject in self.names:
            before = self._parts.get(item.subject)
            since = item.tick if before is None else before.since
            reason = str(item.data.get("reason", ""))
            self._parts[item.subject] = _Fault(reason, since, item.tick, before.at_ms if before else None)
            self._changed()

    def told(self, status: ControlStatus) -> ControlStatus:
        """Add what does not work."""
        self._parts = {
            name: one for name, one in self._parts.items() if status.tick - one.last < STEADY_S * TICKS_PER_S
        }
        before = self._outputs
        self._outputs = {
            f"output {name}": _Fault(
                reason,
                since=known.since if (known := before.get(f"output {name}")) else status.tick,
                last=status.tick,
                at_ms=known.at_ms if known else None,
            )
            for name, reason in self._troubles().items()
        }
        lasting = {
            name: one
            for name, one in self._outputs.items()
            if one.last - one.since >= FAILING_S * TICKS_PER_S
        }
        faults = [_now(name, one, status) for name, one in {**self._parts, **lasting}.items()]
        return structs.replace(status, faults=tuple(faults)[:LISTED_MAX])


def _now(name: str, one: _Fault, status: ControlStatus) -> FaultNow:
    if one.at_ms is None and status.at_ms is not None:
        one.at_ms = max(0, status.at_ms - max(0, status.tick - one.since) * TICK_MS)
    return FaultNow(part=as_text(name), reason=as_text(one.reason), at_ms=one.at_ms)
