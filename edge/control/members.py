"""Which members control has beside interlocks and work: the one place where they are made."""

from collections.abc import Sequence

from edge.access.doing import DoorDoer
from edge.access.making import make_access
from edge.command.doing import Doer
from edge.command.making import make_desk
from edge.control.given import Member
from edge.control.room import Shared
from edge.panel.making import make_panel
from edge.regulation.desk import Regulations


def make_members(shared: Shared) -> Sequence[Member]:
    """Return the members that the settings ask for, in the order in which they are shown what comes."""
    access = make_access(shared)
    door = DoorDoer(access)
    regulations = Regulations(shared, access.present)
    doers: dict[str, Doer] = {"portal": door, "access": door, "regulation": regulations}
    desk = make_desk(shared, rights=lambda: access.rights.snapshot, doers=doers)
    panel = shared.given.settings.panel
    return [access, regulations, desk, *([] if panel is None else [make_panel(shared, access, panel)])]
