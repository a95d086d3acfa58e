"""Who is called for what and when, as data; how many messages are too many; how long a shelf may last."""

from msgspec import Struct

from rules.alarm.model import Kind, Priority
from wire.messages import TICKS_PER_S

MINUTE = 60 * TICKS_PER_S


class Step(Struct, frozen=True, omit_defaults=True):
    """One step of a chain: after so long without an acknowledgement these are called."""

    after_ticks: int
    recipients: tuple[str, ...]
    """Words of the caller: people, roles, channels."""
    repeat_ticks: int | None = None
    """None: once."""
    repeats: int | None = None
    """How many times again; None: until somebody acknowledges."""


class Chain(Struct, frozen=True, omit_defaults=True):
    """An escalation. It stops when somebody acknowledges."""

    steps: tuple[Step, ...]
    ends_on_return: bool = True
    """It also stops when the alarm has cleared by itself."""


class Route(Struct, frozen=True, omit_defaults=True):
    """Which alarms take a chain; an empty list is every one. The first route that fits is taken."""

    chain: str
    kinds: tuple[Kind, ...] = ()
    priorities: tuple[Priority, ...] = ()


class Policy(Struct, frozen=True, omit_defaults=True):
    """How a site handles its alarms."""

    chains: dict[str, Chain] = {}
    routes: tuple[Route, ...] = ()
    fresh_ticks: int = 5 * MINUTE
    """What is known only later than this woke nobody: it is historical, unless it still stands."""
    gather_ticks: int = MINUTE // 2
    """Between two messages lies at least this, unless something more urgent comes up."""
    digest_ticks: int = 3 * MINUTE
    """The same during a flood."""
    flood_window_ticks: int = 10 * MINUTE
    flood_over: int = 10
    """A flood begins with more calls than this within the window."""
    flood_under: int = 5
    """It ends with fewer than this."""
    shelf_max_ticks: int = 24 * 60 * MINUTE

    def chain_of(self, kind: Kind, priority: Priority) -> Chain | None:
        """Return the chain of an alarm; None when nobody is told of it."""
        for route in self.routes:
            if (not route.kinds or kind in route.kinds) and (
                not route.priorities or priority in route.priorities
            ):
                return self.chains.get(route.chain)
        return None
