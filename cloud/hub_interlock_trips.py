"""Whether the interlocks of gateways that a rule of the hub trips are there, before the rule is kept.

What a gateway tells is what it has; of one that never told anything its settings at the hub speak. A command
for an interlock that is not there goes to nobody: the rule would look as if it protected something.
"""

from collections.abc import Sequence

from cloud.identity.acts import Act, ActError
from cloud.store import control_status, shadow
from cloud.store.jobs_interlocks import Trip
from cloud.store.shadow import Owner
from wire.settings.shadow import check_text

_EXPECTED = "a gateway and one of its interlocks"


async def check_trips(act: Act, organisation_id: int, trips: Sequence[Trip]) -> None:
    """Raise `ActError` for the first that is not there, or of which nobody knows yet that it is.

    Its field says which: `trips.gateway` (none of this organisation in use), `trips.interlock` (the gateway
    has none of that name), `trips.unheard` (it never told, and its settings name none).
    """
    for one in trips:
        owner = await shadow.owner(act.connection, one.gateway, act.at)
        if owner is None or owner.organisation_id != organisation_id or owner.revoked:
            raise _refused("gateway", one, f"this organisation has no gateway {one.gateway} in use")
        held = await control_status.get_held(act.connection, one.gateway, act.at)
        if held is None:
            if one.interlock not in await _in_settings(act, owner):
                words = "was never heard, and its settings at the hub name no such interlock"
                raise _refused("unheard", one, f"{one.gateway} {words}")
        elif one.interlock not in (names := [there.name for there in held.status.interlocks]):
            raise _refused("interlock", one, f"{one.gateway} has {', '.join(names) or 'none'}")


def _refused(which: str, trip: Trip, why: str) -> ActError:
    return ActError(f"trips.{which}", f"{trip.gateway} {trip.interlock}", f"{_EXPECTED}: {why}")


async def _in_settings(act: Act, owner: Owner) -> frozenset[str]:
    """Return the names of the interlocks in the newest settings of a gateway that the hub has."""
    number = await shadow.newest(act.connection, owner.id)
    text = await shadow.document(act.connection, owner.id, number) or ""
    document = check_text(text)[0] if text else None
    return frozenset() if document is None else frozenset(one.name for one in document.interlock)
