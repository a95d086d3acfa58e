"""What has happened, as far as decisions ask for it. Kept over a restart, it forgets nothing."""

from typing import Literal

from msgspec import field

from rules.access.document import Id, Millis, SideId, Token
from wire.messages import Message, Record, Text

EVERYWHERE = "*"
"""Scope of a lock-down of the whole site."""


class Inside(Record, frozen=True, forbid_unknown_fields=True):
    """Where somebody is since a proven entry."""

    zone: Text
    """The innermost one."""
    at_ms: Millis
    steady_ms: Millis
    side: Text = ""
    """Through which they came; empty when a person placed them."""


class Tries(Record, frozen=True, forbid_unknown_fields=True):
    """Wrong factors of one person."""

    count: int
    since_ms: Millis
    """When the first was; steady, as all times here."""
    until_ms: Millis = 0
    """Locked out so long."""
    moments: tuple[Millis, ...] = ()
    """When each was, oldest first: every door counts those within its own window."""

    @property
    def all(self) -> tuple[int, ...]:
        """When each was; of what was kept without moments, all at the first."""
        return self.moments or (self.since_ms,) * self.count


class Waiting(Record, frozen=True, forbid_unknown_fields=True):
    """Somebody who waits for company at a side."""

    person: Id
    token: Token
    steady_ms: Millis


class Passing(Record, frozen=True, forbid_unknown_fields=True):
    """Who was let pass and has not been proven to have done so."""

    people: tuple[Id, ...]
    until_ms: Millis
    """Steady: so long the door may be opened."""


class LockDown(Record, frozen=True, forbid_unknown_fields=True):
    """Who locked down what, and why."""

    at_ms: Millis
    by: Text
    reason: Text


class State(Message, frozen=True, forbid_unknown_fields=True):
    """All that a decision knows of before. Values are replaced, never changed."""

    version: Literal[1] = 1
    inside: dict[Id, Inside] = field(default_factory=dict)
    tries: dict[Id, Tries] = field(default_factory=dict)
    waiting: dict[SideId, tuple[Waiting, ...]] = field(default_factory=dict)
    passing: dict[SideId, Passing] = field(default_factory=dict)
    lock_downs: dict[Text, LockDown] = field(default_factory=dict)
    """Zone, or `EVERYWHERE` -> lock-down."""


EMPTY = State()
