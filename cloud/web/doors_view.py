"""What the pages of doors show, in the words of a page: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.rights_doors import last_seen
from cloud.rights_explain import DECISIONS, Explained
from cloud.store.control_status import Held
from cloud.store.decisions import DoorEvent, Revoked, RightsOf
from cloud.store.zones import Portal, Zone
from cloud.web.doors_details import say_detail
from cloud.web.doors_words import CONTACTS, HAPPENED, LOCK_DOWN, LOCKS, OUTCOMES, QUIET, STEPS
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.people_names import Who, named
from cloud.web.words import mark
from rules.access.reasons import GRANTS, Reason
from rules.access.sentences import sentence
from rules.access.state import EVERYWHERE
from wire.control import PortalNow

Badge = tuple[str, str]
"""Shape and colour, and the word."""
_OUTSIDE = mark("outside")
_EVERYWHERE = mark("the whole site")
_NOT_TOLD = mark("not told")
_FORCED, _HELD = mark("opened without leave"), mark("stands open for too long")
BY_COMMAND = "command: "
"""What a gateway writes before the number of who asked (`edge.command.doing`)."""
_IN, _OUT = mark("on the way in"), mark("on the way out")


@dataclass(frozen=True, slots=True)
class DoorView:
    """One door."""

    name: str
    title: str
    way: str
    contact: Badge
    lock: Badge
    remarks: list[Badge]
    locked_by: str


@dataclass(frozen=True, slots=True)
class RoomView:
    """Who is in one zone, as told."""

    name: str
    title: str
    people: list[str]
    """Names and numbers; where it is not known now, of those who were there last."""
    known: bool
    """Whether every door of the zone, and every gateway that tells of people there, is heard."""
    since_ms: int | None
    """Of what is not known: since when not everything is heard; None: nobody knows since when."""


@dataclass(frozen=True, slots=True)
class EventView:
    """One thing that happened at a door."""

    id: int
    at_ms: int
    door: str
    side: str
    who: str
    badge: str
    said: str
    detail: str
    decision: bool


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a decision."""

    name: str
    badge: Badge
    said: str
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class EndedView:
    """What was ended at a gateway."""

    since_ms: int
    known_ms: int | None
    """Since when it is not honoured any more; None: it may still be."""
    what: list[str]


@dataclass(frozen=True, slots=True)
class GatewayView:
    """Which rights a gateway honours."""

    row: RightsOf
    ended: list[EndedView]
    honoured_ms: int | None
    heard_ms: int | None
    faults_ms: int | None


def door_views(
    zones: Iterable[Zone], held: Sequence[Held], language: Language, *, now: datetime
) -> list[DoorView]:
    """Return the doors of a site; of a gateway that was not heard lately nothing is known."""
    portals = {portal.id: portal for zone in zones for portal in zone.portals}
    titles = {zone.name: zone.title for zone in zones}
    states = {one.name: one for each in held if each.is_known(now) for one in each.status.portals}
    return [_door(one, titles, states.get(one.name), language=language) for one in portals.values()]


def _door(
    portal: Portal, titles: Mapping[str, str], state: PortalNow | None, *, language: Language
) -> DoorView:
    outside = language.say(_OUTSIDE)
    start = outside if portal.from_zone is None else titles.get(portal.from_zone, portal.from_zone)
    end = outside if portal.to_zone is None else titles.get(portal.to_zone, portal.to_zone)
    unknown: Badge = ("none", language.say(_NOT_TOLD))
    if state is None:
        return DoorView(portal.name, portal.title, f"{start} → {end}", unknown, unknown, [], "")
    contact = CONTACTS.get(state.contact, CONTACTS["unknown"])
    lock = LOCKS.get(state.lock, LOCKS["unknown"])
    remarks = [("bad", language.say(_FORCED))] if state.forced else []
    remarks += [("warn", language.say(_HELD))] if state.held else []
    return DoorView(
        name=portal.name,
        title=portal.title,
        way=f"{start} → {end}",
        contact=(contact[0], language.say(contact[1])),
        lock=(lock[0], language.say(lock[1])),
        remarks=remarks,
        locked_by=", ".join(state.locked_by),
    )


def occupancy(zones: Sequence[Zone], held: Sequence[Held], who: Who, *, now: datetime) -> list[RoomView]:
    """Return who is where, as the roll-call has it; a zone is left out only where it is known to be empty.

    A zone is not known when a door of it, or a gateway that told of people there, is not heard.
    """
    titles = {zone.name: zone.title for zone in zones}
    inside: dict[str, list[str]] = {}
    by: dict[str, list[Held | None]] = {}
    for number, (one, there) in last_seen(held).items():
        inside.setdefault(there.zone, []).append(number)
        by.setdefault(there.zone, []).append(one)
    telling = {portal.name: one for one in held for portal in one.status.portals}
    for zone in zones:
        by.setdefault(zone.name, []).extend(telling.get(portal.name) for portal in zone.portals)
    found = []
    for name in sorted(by):
        silent = [one for one in by[name] if one is None or not one.is_known(now)]
        people = [named(number, who) for number in sorted(inside.get(name, ()))]
        if people or silent:
            found.append(RoomView(name, titles.get(name, name), people, not silent, _silent_since(silent)))
    return found


def _silent_since(silent: Sequence[Held | None]) -> int | None:
    heard = [None if one is None else one.heard_at for one in silent]
    known = [at for at in heard if at is not None]
    return milliseconds(min(known)) if known and len(known) == len(heard) else None


def number_of(event: DoorEvent) -> str:
    """Return the number of whom an event is about, else of who asked for it by a command; empty: nobody."""
    by = str(event.data.get("by", ""))
    asked = by.removeprefix(BY_COMMAND) if by.startswith(BY_COMMAND) else ""
    return str(event.data.get("person", "")) or asked


def event_views(
    events: Iterable[DoorEvent], who: Who, places: Mapping[str, str], *, language: Language
) -> list[EventView]:
    """Return what happened at doors and in zones, with the one sentence for each."""
    return [_event(one, who, places, language=language) for one in events]


def _event(event: DoorEvent, who: Who, places: Mapping[str, str], *, language: Language) -> EventView:
    place, _, side = event.subject.partition("/")
    badge, said = _said(event, language)
    return EventView(
        id=event.id,
        at_ms=milliseconds(event.observed_at),
        door=language.say(_EVERYWHERE) if place == EVERYWHERE else places.get(place, place),
        side=language.say(_OUT if side == "out" else _IN) if side else "",
        who=named(number_of(event), who),
        badge=badge,
        said=said,
        detail=say_detail(language, event.data.get("reason"), str(event.data.get("detail", ""))),
        decision=event.kind in DECISIONS,
    )


def _said(event: DoorEvent, language: Language) -> Badge:
    if event.kind in DECISIONS:
        reason = next((one for one in Reason if one == event.data.get("reason")), None)
        if reason is None:
            return "none", str(event.data.get("reason", ""))
        return "good" if reason in GRANTS else "bad", sentence(reason, language.code)
    if event.kind == "lock_down":
        on = bool(event.data.get("on"))
        return "bad" if on else "good", language.say(LOCK_DOWN[on])
    quiet = event.kind in QUIET
    word = HAPPENED.get(event.kind)
    return "none" if quiet else "bad", event.kind if word is None else language.say(word)


def step_views(told: Explained, language: Language) -> list[StepView]:
    """Return every step of a decision in words."""
    found = []
    for one in told.findings:
        kind, word = OUTCOMES[one.outcome]
        said = "" if one.reason is None else sentence(one.reason, language.code)
        detail = say_detail(language, one.reason, one.detail)
        view = StepView(language.say(STEPS[one.step]), (kind, language.say(word)), said, one.rule, detail)
        found.append(view)
    return found


def gateway_views(
    rows: Iterable[RightsOf], ended: Sequence[Revoked], cards: Mapping[str, tuple[str, str, str]]
) -> list[GatewayView]:
    """Return which rights each gateway honours and what was ended there, the last first."""
    return [
        GatewayView(
            row,
            [_ended(one, cards) for one in ended if one.gateway_id == row.gateway_id],
            _ms(row.honoured_since),
            _ms(row.heard_at),
            _ms(row.faults_since),
        )
        for row in rows
    ]


def _ended(one: Revoked, cards: Mapping[str, tuple[str, str, str]]) -> EndedView:
    tokens = one.ended.get("credentials", [])
    what = [f"{cards[token][1]} · {cards[token][0]} …{cards[token][2]}" for token in tokens if token in cards]
    for name in ("people", "rights", "visits"):
        what += one.ended.get(name, [])
    return EndedView(milliseconds(one.issued_at), _ms(one.honoured_at), what)


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)
