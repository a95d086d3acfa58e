"""Edges of a contact become states: debounce in the time of the edges themselves, and what the states mean.

Everything is a function of edges and times, so that it does not matter when anybody looks. No edge is lost:
each is counted in exactly one outcome.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from wire.settings.gpio import InputKind, Level, Pull


@dataclass(frozen=True, slots=True)
class Kind:
    """What an input is for. State 1 is the one that somebody has to know of."""

    states: tuple[str, str]
    events: tuple[str, str]
    """Told when the state becomes 0, and 1."""
    active: Level
    pull: Pull


KINDS: Mapping[InputKind, Kind] = MappingProxyType(
    {
        # A cut wire reads open, released or tampered; a request to exit or ignition is not made up by one.
        "door_contact": Kind(("closed", "open"), ("door_closed", "door_opened"), "high", "up"),
        "request_to_exit": Kind(("idle", "pressed"), ("exit_request_ended", "exit_requested"), "low", "up"),
        "fire_release": Kind(("normal", "released"), ("fire_release_ended", "fire_released"), "high", "up"),
        "tamper": Kind(("intact", "tampered"), ("tamper_ended", "tampered"), "high", "up"),
        "ignition": Kind(("off", "on"), ("ignition_off", "ignition_on"), "high", "down"),
    }
)


@dataclass(frozen=True, slots=True)
class Rules:
    """When a level counts, and when an input that does not settle chatters; nanoseconds."""

    settle_ns: int
    chatter_ns: int


@dataclass(frozen=True, slots=True)
class Contact:
    """What is known of one input."""

    level: int
    """The last one that settled."""
    chatters: bool = False
    seen: int | None = None
    """The level of the last edge, while it has not settled."""
    first_ns: int = 0
    last_ns: int = 0
    edges: int = 0
    """How many there were since it was settled, or since it was said to chatter."""

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return self.seen is None


@dataclass(frozen=True, slots=True)
class Changed:
    """The level is another one since `at_ns`, the first edge that led to it."""

    at_ns: int
    level: int
    edges: int


@dataclass(frozen=True, slots=True)
class Glitch:
    """Edges came and the level is what it was."""

    at_ns: int
    edges: int


@dataclass(frozen=True, slots=True)
class Chatter:
    """It has not settled since `at_ns`; what it is cannot be known."""

    at_ns: int
    edges: int


@dataclass(frozen=True, slots=True)
class Calm:
    """It has settled after chatter, at `at_ns`; `edges` came since that was told."""

    at_ns: int
    level: int
    edges: int
    changed: bool


Outcome = Changed | Glitch | Chatter | Calm
Step = tuple[Contact, Sequence[Outcome]]


def edge(contact: Contact, rules: Rules, *, at_ns: int, level: int) -> Step:
    """Take an edge after which the input had this level; the same level again is a pulse too short to see."""
    at_ns = max(at_ns, contact.last_ns)
    contact, outcomes = settle(contact, rules, now_ns=at_ns)
    first_ns = at_ns if contact.seen is None else contact.first_ns
    after = replace(contact, seen=level, first_ns=first_ns, last_ns=at_ns, edges=contact.edges + 1)
    return after, outcomes


def settle(contact: Contact, rules: Rules, *, now_ns: int) -> Step:
    """Say what is certain at `now_ns`."""
    if contact.seen is None:
        return contact, ()
    outcomes: list[Outcome] = []
    settles_ns = contact.last_ns + rules.settle_ns
    if not contact.chatters and contact.first_ns + rules.chatter_ns <= min(now_ns, settles_ns):
        outcomes.append(Chatter(contact.first_ns, contact.edges))
        contact = replace(contact, chatters=True, edges=0)
    if now_ns >= settles_ns:
        assert contact.seen is not None
        outcomes.append(_outcome(contact, contact.seen))
        contact = Contact(contact.seen, last_ns=contact.last_ns)
    return contact, outcomes


def due_ns(contact: Contact, rules: Rules) -> int | None:
    """Return when `settle` has something to say, None while nothing is under way."""
    if contact.seen is None:
        return None
    settles_ns = contact.last_ns + rules.settle_ns
    return settles_ns if contact.chatters else min(settles_ns, contact.first_ns + rules.chatter_ns)


def _outcome(contact: Contact, level: int) -> Outcome:
    changed = level != contact.level
    if contact.chatters:
        return Calm(contact.last_ns, level, contact.edges, changed)
    if changed:
        return Changed(contact.first_ns, level, contact.edges)
    return Glitch(contact.first_ns, contact.edges)
