"""What people do about visitors: register them before they come, end a visit, approve one as a head.

Each act checks, changes and is audited in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.rights_acts import Place, faults_at, head_of, place_of, refuse_new_faults
from cloud.store import rights_items, visits
from cloud.store.rights_rows import SiteRow
from cloud.store.visits import NewVisit, Visit
from cloud.store.zones import list_zones
from rules.access.words import Escort
from rules.permissions import Permission

LONGEST = timedelta(days=31)
AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Wish:
    """A visit that somebody wants registered; zones by name, the host by staff number."""

    site_id: int
    visitor: str
    host: str
    zones: tuple[str, ...]
    from_at: datetime
    to_at: datetime
    company: str = ""
    purpose: str = ""
    escort: str = "host"


async def register(act: Act, wish: Wish) -> int:
    """Register a visitor and the visit, and return the visit's id."""
    site = await _site(act, wish.site_id)
    visitor, company = _text("visitor", wish.visitor, 100), _text("company", wish.company, 100, least=0)
    purpose = _text("purpose", wish.purpose, 500, least=0)
    await _check(act, site, wish)
    host = await rights_items.find_staff(act.connection, site.organisation_id, wish.host)
    if host is None:
        raise ActError("host", wish.host, "the number of somebody of the staff")
    await visits.lock(act.connection, site.organisation_id)
    place = Place(site.organisation_id, site.id)
    before = await faults_at(act, place)
    person_id, number = await visits.add_visitor(
        act.connection, site.organisation_id, name=visitor, company=company
    )
    new = NewVisit(
        *(site.organisation_id, site.id, person_id, host, list(wish.zones), wish.from_at, wish.to_at),
        *(wish.escort, purpose),
    )
    made = await visits.add(act.connection, new, by=act.viewer.login, at=act.at)
    await refuse_new_faults(act, place, before)
    told = {"visitor": number, "host": wish.host, "zones": list(wish.zones), "to": wish.to_at.isoformat()}
    await _note(act, site.organisation_id, "visit.register", visit_id=made, new={**told, "site": site.name})
    return made


async def end(act: Act, visit_id: int, *, why: str) -> None:
    """End a visit at once; the visitor is turned away within a second."""
    visit = await _visit(act, visit_id)
    await _site(act, visit.site_id)
    why = _text("why", why, 500)
    if not await visits.end(act.connection, visit.id, at=act.at, why=why):
        raise ActError("visit", visit.id, "one that is not ended")
    await _note(act, visit.organisation_id, "visit.end", visit_id=visit.id, why=why)


async def approve(act: Act, visit_id: int) -> None:
    """Approve a visit as the head of a laboratory of its site."""
    visit = await _visit(act, visit_id)
    number = await head_of(act, await place_of(act, visit.site_id))
    place = Place(visit.organisation_id, visit.site_id)
    before = await faults_at(act, place)
    await visits.approve(act.connection, visit.id, by=number, at=act.at)
    await refuse_new_faults(act, place, before)
    await _note(act, visit.organisation_id, "visit.approve", visit_id=visit.id, new={"by": number})


async def _site(act: Act, site_id: int) -> SiteRow:
    site = await place_of(act, site_id)
    if not act.viewer.may(Permission.VISITS_MANAGE, site.organisation_id, site.id):
        raise ForbiddenError("site", site.name, f"the permission {Permission.VISITS_MANAGE} there")
    return site


async def _visit(act: Act, visit_id: int) -> Visit:
    found = await visits.list_visits(act.connection, visit_id=visit_id, limit=1)
    if not found:
        raise MissingError("visit", visit_id, "an existing visit")
    return found[0]


async def _check(act: Act, site: SiteRow, wish: Wish) -> None:
    if wish.to_at <= max(wish.from_at, act.at):
        raise ActError("to", wish.to_at.isoformat(), "a time after the start, and after now")
    if wish.to_at - wish.from_at > LONGEST:
        raise ActError("to", wish.to_at.isoformat(), f"at most {LONGEST.days} days after the start")
    if wish.from_at > act.at + AHEAD:
        raise ActError("from", wish.from_at.isoformat(), f"at most {AHEAD.days} days ahead")
    if wish.escort not in tuple(Escort):
        raise ActError("escort", wish.escort, f"one of {', '.join(Escort)}")
    known = {zone.name for zone in await list_zones(act.connection, site_id=site.id)}
    unknown = [one for one in wish.zones if one not in known]
    if unknown or not wish.zones:
        raise ActError("zones", ", ".join(unknown), f"some of {', '.join(sorted(known))}")


async def _note(act: Act, organisation_id: int, action: str, *, visit_id: int, **given: object) -> None:
    await act.note(action, f"visit {visit_id}", organisation_id=organisation_id, **given)


def _text(field: str, value: str, longest: int, *, least: int = 1) -> str:
    value = " ".join(value.split())
    if not least <= len(value) <= longest or "\0" in value:
        raise ActError(field, value, f"a text of {least} to {longest} characters")
    return value
