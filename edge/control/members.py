"""Which members control has beside interlocks and work: the one place where they are made."""

from collections.abc import Sequence

from edge.command.making import make_desk
from edge.control.given import Member
from edge.control.room import Shared


def make_members(shared: Shared) -> Sequence[Member]:
    """Return the members that the settings ask for, in the order in which they are shown what comes."""
    return [make_desk(shared, doers={})]
