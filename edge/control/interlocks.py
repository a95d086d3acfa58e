"""The interlocks of a gateway: runs the rules on what comes, and has outputs follow them.

What makes safe is written to the output first and told then; what permits is on the disk before any output
is released.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.control.given import Given, Member
from edge.control.hearers import Hearers
from edge.control.work import WorkDesk
from rules.access.request import EntryLock
from rules.interlock.inputs import Asked
from rules.interlock.reasons import Reason
from wire.control import InterlockNow


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a person's act."""

    refused: Reason | None = None
    """Why the rules refused it."""
    failed: str = ""
    """Why it could not be done although nothing was against it: a sentence. Nothing was permitted."""

    @property
    def done(self) -> bool:
        """Whether it counts."""
        return self.refused is None and not self.failed


@dataclass(frozen=True, slots=True)
class Held:
    """Why a device may not do something now."""

    interlock: str
    reason: Reason


class Interlocks(Member):
    """All interlocks of one gateway."""

    def __init__(self, given: Given, work: WorkDesk) -> None:
        self._given = given
        self.changed = Hearers()

    @property
    def names(self) -> Sequence[str]:
        """The interlocks' names in the settings."""
        return ()

    def locks(self) -> Sequence[EntryLock]:
        """Return what tripped interlocks lock: entries of portals and zones."""
        return ()

    async def act(self, interlock: str, asked: Asked) -> Acted:
        """Do what a person asks of an interlock; a permit counts only once it is on the disk."""
        return Acted(failed=f"no interlock is called {interlock}")

    def command_refusal(self, device: str, command: str) -> Held | None:
        """Return which interlock keeps a device or an output from doing a command, and why."""
        return None

    def releases(self, output: str) -> bool:
        """Return whether others may set this output: no interlock owns it, or its owner released it."""
        return True

    def held_zones(self) -> Mapping[str, Sequence[str]]:
        """Return zone -> the interlocks that hold its work."""
        return {}

    def now(self) -> Sequence[InterlockNow]:
        """Return every interlock as it stands."""
        return ()
