"""How doors stand and who is inside, as gateways say it; what was not heard lately is not known."""

from dataclasses import dataclass
from datetime import UTC, datetime

from cloud.rights_documents import document_at
from cloud.store import control_status
from cloud.store.connection import Connection
from cloud.store.control_status import Held
from rules.access.roll_call import Called, roll_call
from rules.access.snapshot import Snapshot, normalised, prepared
from rules.access.state import Inside, State
from wire.shadow import Revision


@dataclass(frozen=True, slots=True)
class Present:
    """One person of a roll-call."""

    person: str
    name: str
    zone: str
    since: datetime
    """Of the proven entry."""
    visitor: bool
    hosts: list[str]
    """Of a visitor: who to ask."""
    safe: bool
    """At a place of assembly."""
    doubtful: bool
    """Anti-passback takes them for gone; nobody saw them leave."""


@dataclass(frozen=True, slots=True)
class RollCall:
    """Who came in at a site and was not seen to leave."""

    people: list[Present]
    """Who is not safe first."""
    unknown: list[str]
    """Gateways that were not heard lately: who came or left there since is not known."""
    told: bool
    """Whether any gateway of the site ever told who is inside."""


async def roll_call_of(connection: Connection, site_id: int, *, now: datetime) -> RollCall:
    """Return the roll-call of a site, of all its gateways."""
    held = await control_status.list_held(connection, now, site=site_id)
    newest: dict[str, Called] = {}
    now_ms = round(now.timestamp() * 1000)
    for one in held:
        snapshot = await _snapshot_of(connection, one)
        inside = {
            each.person: Inside(each.zone, each.at_ms, min(each.at_ms, now_ms)) for each in one.status.inside
        }
        for called in roll_call(snapshot, State(inside=inside), steady_ms=now_ms):
            before = newest.get(called.person)
            if before is None or called.since_ms > before.since_ms:
                newest[called.person] = called
    return RollCall(
        [_present(one) for one in sorted(newest.values(), key=lambda one: (one.safe, one.zone, one.person))],
        [one.gateway for one in held if not one.is_known(now)],
        bool(held),
    )


def _present(one: Called) -> Present:
    since = datetime.fromtimestamp(one.since_ms / 1000, UTC)
    return Present(
        *(one.person, one.name, one.zone, since, one.visitor, list(one.hosts), one.safe, one.doubtful)
    )


async def _snapshot_of(connection: Connection, held: Held) -> Snapshot | None:
    revision = held.status.rights.revision
    if revision is None:
        return None
    found = await document_at(connection, held.gateway_id, Revision(revision.incarnation, revision.number))
    return None if found is None else prepared(normalised(found[0]))
