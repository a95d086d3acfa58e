"""What the pages of doors show, in the words of a page: pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud.rights_explain import DECISIONS, Explained
from cloud.store.control_status import Held
from cloud.store.decisions import DoorEvent, Revoked, RightsOf
from cloud.store.zones import Portal, Zone
from cloud.web.doors_words import CONTACTS, HAPPENED, LOCK_DOWN, LOCKS, OUTCOMES, QUIET, STEPS
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.words import mark
from rules.access.reasons import GRANTS, Reason
from rules.access.sentences import sentence
from wire.control import PortalNow

Who = Mapping[str, str]
"""Number of a person -> name, of those that who asks may see."""
Badge = tuple[str, str]
"""Shape and colour, and the word."""
_OUTSIDE = mark("outside")
_NOT_TOLD = mark("not told")
_FORCED, _HELD = mark("opened without leave"), mark("stands open for too long")
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
    """How many are in one zone, as told."""

    name: str
    title: str
    people: list[str]
    """Numbers."""


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


def occupancy(zones: Iterable[Zone], held: Sequence[Held], *, now: datetime) -> list[RoomView]:
    """Return who is where, as gateways that were heard lately say; zones with nobody are left out."""
    titles = {zone.name: zone.title for zone in zones}
    inside: dict[str, list[str]] = {}
    for each in held:
        if each.is_known(now):
            for one in each.status.inside:
                inside.setdefault(one.zone, []).append(one.person)
    return [RoomView(name, titles.get(name, name), sorted(inside[name])) for name in sorted(inside)]


def event_views(
    events: Iterable[DoorEvent], who: Who, doors: Mapping[str, str], *, language: Language
) -> list[EventView]:
    """Return what happened at doors, with the one sentence for each."""
    return [_event(one, who, doors, language=language) for one in events]


def _event(event: DoorEvent, who: Who, doors: Mapping[str, str], *, language: Language) -> EventView:
    door, _, side = event.subject.partition("/")
    number = str(event.data.get("person", ""))
    name = who.get(number, "")
    badge, said = _said(event, language)
    return EventView(
        id=event.id,
        at_ms=milliseconds(event.observed_at),
        door=doors.get(door, door),
        side=language.say(_OUT if side == "out" else _IN) if side else "",
        who=f"{name} · {number}" if name else number,
        badge=badge,
        said=said,
        detail=str(event.data.get("detail", "")),
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
        view = StepView(language.say(STEPS[one.step]), (kind, language.say(word)), said, one.rule, one.detail)
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
