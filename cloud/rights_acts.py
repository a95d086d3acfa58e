"""What people do to access rights: each act checks, changes and is audited in one transaction.

The same functions serve pages, API and command line. Nothing is saved that would make the rights of a site
contradict themselves: what stood there before goes on, and the first thing that is wrong is named.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec

from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.rights_compile import ITEM_TYPES, NOT_TYPED, VISITS_STAY, compile_rights, item_fault, item_of
from cloud.store import rights_items as store
from cloud.store.rights_items import Item
from cloud.store.rights_rows import SiteRow, read_rows
from rules.access.document import Approval, Head, Right, Zone
from rules.permissions import Permission

TITLE_MAX = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item holds: at a site, or (None) at all sites of an organisation."""

    organisation_id: int
    site_id: int | None = None


async def place_of(act: Act, site_id: int) -> SiteRow:
    """Return a site of which who asks may see the rights; `MissingError` else."""
    site = await store.find_site(act.connection, site_id)
    if site is None or not act.viewer.may(Permission.ACCESS_READ, site.organisation_id, site.id):
        raise MissingError("site", site_id, "an existing site")
    return site


async def put_item(
    act: Act, place: Place, *, kind: str, name: str, body: Mapping[str, Any], title: str = ""
) -> None:
    """Keep an item of the rights, in the place of one of the same kind and name.

    A right that is changed has to be approved anew where a head has to approve.
    """
    await _may_manage(act, place)
    if kind not in ITEM_TYPES:
        raise ActError("kind", kind, f"one of {', '.join(ITEM_TYPES)}")
    if place.site_id is None and kind not in ("day", "schedule", "group"):
        raise ActError("site", "", f"a site: a {kind} holds at one")
    if set(body) & NOT_TYPED.get(kind, frozenset()) or "approval" in body:
        raise ActError(kind, name, "no field that comes from elsewhere: " + ", ".join(sorted(body)))
    _check(kind, name, body)
    title = " ".join(title.split())
    if len(title) > TITLE_MAX:
        raise ActError("title", title, f"at most {TITLE_MAX} characters")
    before = await faults_at(act, place)
    old = await store.find_item(act.connection, place.organisation_id, place.site_id, kind=kind, name=name)
    kept = dict(body)
    if kind == "group":
        await _known_members(act, place, body, before=() if old is None else old["body"].get("people", ()))
    if kind == "right" and old is not None and "approval" in old["body"]:
        plain = {key: value for key, value in old["body"].items() if key != "approval"}
        kept |= {"approval": old["body"]["approval"]} if plain == kept else {}
    item = Item(place.organisation_id, place.site_id, None, kind, name, title, kept, act.viewer.login, act.at)
    await store.put_item(act.connection, item)
    await refuse_new_faults(act, place, before)
    new = {"title": title, "body": kept}
    await _note(
        act, place, "access.add" if old is None else "access.change", thing=f"{kind} {name}", old=old, new=new
    )


async def drop_item(act: Act, place: Place, *, kind: str, name: str, why: str = "") -> None:
    """Take an item out of the rights."""
    await _may_manage(act, place)
    before = await faults_at(act, place)
    old = await store.find_item(act.connection, place.organisation_id, place.site_id, kind=kind, name=name)
    if old is None:
        raise MissingError(kind, name, f"an existing {kind}")
    await store.drop_item(act.connection, place.organisation_id, place.site_id, kind=kind, name=name)
    await refuse_new_faults(act, place, before)
    await _note(act, place, "access.drop", thing=f"{kind} {name}", old=old, why=why)


async def approve(act: Act, site_id: int, name: str) -> None:
    """Approve a right as the head of a laboratory that asks for it; it counts from this moment on."""
    site = await place_of(act, site_id)
    found = await store.find_item(act.connection, site.organisation_id, site.id, kind="right", name=name)
    if found is None:
        raise MissingError("right", name, "an existing right")
    body = {key: value for key, value in found["body"].items() if key != "approval"}
    made = item_of("right", name, body)
    assert isinstance(made, Right)
    number = await head_of(act, site)
    body["approval"] = msgspec.to_builtins(Approval(by=number, at_ms=round(act.at.timestamp() * 1000)))
    place = Place(site.organisation_id, site.id)
    before = await faults_at(act, place)
    item = Item(
        site.organisation_id, site.id, None, "right", name, found["title"], body, act.viewer.login, act.at
    )
    await store.put_item(act.connection, item)
    await refuse_new_faults(act, place, before)
    await _note(act, place, "access.approve", thing=f"right {name}", new={"by": number})


async def head_of(act: Act, site: SiteRow) -> str:
    """Return the number of who asks when they are head of a laboratory there now; `ForbiddenError` else."""
    found = await store.number_of_account(
        act.connection, act.viewer.account_id, organisation_id=site.organisation_id
    )
    number = found or ""
    at_ms = round(act.at.timestamp() * 1000)
    for item in await store.list_items(act.connection, site_id=site.id, kinds=["zone"]):
        zone = item_of("zone", item.name, item.body)
        assert isinstance(zone, Zone)
        if number and any(_is_head(head, number, at_ms) for head in zone.heads):
            return number
    raise ForbiddenError("approval", number or act.viewer.login, "the head of a laboratory of this site")


def _is_head(head: Head, number: str, at_ms: int) -> bool:
    return head.person == number and head.valid.covers(at_ms)


async def _may_manage(act: Act, place: Place) -> None:
    if place.site_id is not None:
        site = await place_of(act, place.site_id)
        if site.organisation_id != place.organisation_id:
            raise MissingError("site", place.site_id, "a site of this organisation")
    if not act.viewer.may(Permission.ACCESS_MANAGE, place.organisation_id, place.site_id):
        raise ForbiddenError("site", place.site_id or "", f"the permission {Permission.ACCESS_MANAGE} there")


def _check(kind: str, name: str, body: Mapping[str, Any]) -> None:
    try:
        item_of(kind, name, body)
    except msgspec.ValidationError as error:
        wrong = item_fault(error, kind, name, body=body)
        raise ActError(f"{kind} {name} {wrong.place}".strip(), wrong.value, wrong.expected) from None
    try:
        date.fromisoformat(name if kind == "day" else "2000-01-01")
    except ValueError:
        raise ActError("date", name, "a date that exists, such as 2026-10-01") from None


async def _known_members(act: Act, place: Place, body: Mapping[str, Any], *, before: Collection[str]) -> None:
    """Refuse a group to which somebody comes whom nobody knows: who gets the number later would inherit it.

    Who is a member already may stay, also when they have left meanwhile: they are left out of what is sent.
    """
    for one in body.get("people", ()):
        if one not in before and await store.find_staff(act.connection, place.organisation_id, one) is None:
            raise ActError("people", one, "the number of somebody of the staff who has not left")


async def faults_at(act: Act, place: Place) -> dict[int, frozenset[str]]:
    """Return what is wrong with the rights of every site that an item may touch, or is left out of them."""
    sites = [place.site_id] if place.site_id is not None else []
    sites = sites or list(await store.sites_with_rights(act.connection, place.organisation_id))
    found = {}
    for site_id in sites:
        rows = await read_rows(act.connection, site_id, visits_since=act.at - VISITS_STAY - timedelta(days=1))
        if rows is not None:
            made = await asyncio.to_thread(compile_rights, rows, "check", now=act.at)
            found[site_id] = frozenset((*made.faults, *made.misfits))
    return found


async def refuse_new_faults(act: Act, place: Place, before: Mapping[int, frozenset[str]]) -> None:
    """Raise `ActError` for the first thing that was not wrong `before` (`faults_at`)."""
    for site_id, faults in (await faults_at(act, place)).items():
        for fault in sorted(faults - before.get(site_id, frozenset())):
            field, _, rest = fault.partition(": ")
            value, _, expected = rest.partition(": expected ")
            raise ActError(field, value, expected or rest)


async def _note(act: Act, place: Place, action: str, *, thing: str, **given: Any) -> None:
    where = "" if place.site_id is None else f" at site {place.site_id}"
    await act.note(action, f"{thing}{where}", organisation_id=place.organisation_id, **given)
