"""Carries out the commands of doors: `portal.open`, `access.lock_down`, `access.release`, `access.place`."""

from edge.access.room import OUTSIDE, Access
from edge.command.doing import Data, by_of, text
from rules.access import EVERYWHERE
from wire.control import Command


class DoorDoer:
    """`portal.*` and `access.*`; implements `edge.command.doing.Doer`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def do(self, command: Command) -> Data:
        """Do it; `RefusedError` before anything was done, `NotDoneError` afterwards."""
        zone = text(command, "zone") or EVERYWHERE
        by, reason = by_of(command), text(command, "reason")
        match command.name:
            case "portal.open":
                await self._access.open(text(command, "portal"), text(command, "side"), by=by)
            case "access.lock_down":
                await self._access.lock_down(zone, by=by, reason=reason)
            case "access.release":
                await self._access.release(zone, by=by, reason=reason)
            case _:
                await self._access.place(text(command, "person"), text(command, "zone") or OUTSIDE, by=by)
        return {}
