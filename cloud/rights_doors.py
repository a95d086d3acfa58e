"""How doors stand and who is inside, as gateways say it; what was not heard lately is not known."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cloud.rights_documents import document_at
from cloud.store import control_status
from cloud.store.connection import Connection
from cloud.store.control_status import Held
from rules.access.roll_call import Called, roll_call
from rules.access.snapshot import Snapshot, normalised, prepared
from rules.access.state import Inside, State
from wire.control import InsideNow
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


def last_seen(held: Iterable[Held]) -> dict[str, tuple[Held, InsideNow]]:
    """Return who is inside, by number, as the gateway says that saw them last; it may be silent now."""
    newest: dict[str, tuple[Held, InsideNow]] = {}
    for one in held:
        for each in one.status.inside:
            before = newest.get(each.person)
            if before is None or each.at_ms > before[1].at_ms:
                newest[each.person] = (one, each)
    return newest


async def roll_call_of(connection: Connection, site_id: int, *, now: datetime) -> RollCall:
    """Return the roll-call of a site, of all its gateways."""
    held = await control_status.list_held(connection, now, site=site_id)
    now_ms = round(now.timestamp() * 1000)
    seen = last_seen(held)
    found: list[Called] = []
    for one in held:
        inside = {
            number: Inside(each.zone, each.at_ms, min(each.at_ms, now_ms))
            for number, (by, each) in seen.items()
            if by is one
        }
        found += roll_call(await _snapshot_of(connection, one), State(inside=inside), steady_ms=now_ms)
    return RollCall(
        [_present(one) for one in sorted(found, key=lambda one: (one.safe, one.zone, one.person))],
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
