"""Sites, states and requests made at random, without a fault and mostly interesting."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from msgspec import structs

from rules.access import AccessRights, Factor, Request, Revocation, Situation, State
from rules.access.document import (
    Approval,
    Attempts,
    Authorisation,
    Credential,
    Day,
    Equipment,
    Group,
    Head,
    Mantrap,
    Offset,
    Person,
    Portal,
    Right,
    Schedule,
    Side,
    Span,
    Visit,
    Window,
    Zone,
)
from rules.access.request import Door, EntryLock, Job
from rules.access.state import EVERYWHERE, Inside, LockDown, Passing, Tries, Waiting
from rules.access.words import (
    Contact,
    CredentialState,
    DayKind,
    DayName,
    Effect,
    Escort,
    FactorKind,
    JobState,
    Lock,
    OldRights,
    Passback,
    PersonKind,
    PersonState,
    Scope,
    SideKind,
    Subject,
)
from tests.rules.access.world import DAY_MS, HOUR_MS, KEY, NOW, STEADY, token
from wire.shadow import Revision

T = TypeVar("T")
STAFF = ("s1", "s2", "s3", "s4")
VISITORS = ("w1", "w2")
PEOPLE = (*STAFF, *VISITORS)
ZONES = ("z1", "z2", "z3")
SUBJECTS = ("weights", "lengths")


def _some(rng: Random, values: Sequence[T], *, least: int = 0) -> tuple[T, ...]:
    return tuple(rng.sample(values, rng.randint(least, len(values))))


def _rarely(rng: Random, common: T, *others: T) -> T:
    return common if rng.random() < 0.95 else rng.choice(others)


def _span(rng: Random) -> Span:
    return _rarely(rng, Span(), Span(NOW + HOUR_MS, None), Span(None, NOW), Span(NOW - DAY_MS, NOW + DAY_MS))


def _schedules(rng: Random) -> tuple[Schedule, ...]:
    days = tuple(DayName)
    found = []
    for name in ("t1", "t2"):
        windows = []
        for _ in range(rng.randint(1, 3)):
            start = rng.randint(0, 1439)
            windows.append(Window(_some(rng, days, least=1), start, start + rng.randint(1, 1440)))
        found.append(Schedule(id=name, windows=tuple(windows)))
    return tuple(found)


def _people(rng: Random) -> tuple[Person, ...]:
    return tuple(
        Person(
            one,
            kind=PersonKind.VISITOR if one in VISITORS else PersonKind.STAFF,
            state=_rarely(rng, PersonState.ACTIVE, *PersonState),
            valid=_span(rng),
            pin=_rarely(rng, token(f"pin {one}"), None),
            duress_pin=None,
            escorts=one in STAFF and rng.random() < 0.5,
            slow=rng.random() < 0.2,
        )
        for one in PEOPLE
    )


def _zones(rng: Random) -> tuple[Zone, ...]:
    found = []
    for place, one in enumerate(ZONES):
        passback = rng.choice(tuple(Passback))
        least = rng.choice((1, 1, 2))
        found.append(
            Zone(
                id=one,
                parent=rng.choice((None, *ZONES[:place])),
                capacity=rng.choice((None, None, 2, 3, 4)),
                min_people=least,
                passback=passback,
                forget_s=rng.choice((60, 7200)) if passback is Passback.TIMED else None,
                heads=(Head(rng.choice(STAFF), _span(rng)),) if rng.random() < 0.1 else (),
                activities=_some(rng, SUBJECTS) if rng.random() < 0.2 else (),
                job_only=rng.random() < 0.15,
            )
        )
    return tuple(found)


def _side(rng: Random, kind: SideKind) -> Side:
    return Side(kind=kind, verify=rng.choice(((), (), (FactorKind.PIN,), (FactorKind.FACE,))))


def _portals(rng: Random) -> tuple[Portal, ...]:
    found = []
    for place in range(4):
        target = ZONES[place % 3]
        start = rng.choice([None, *(zone for zone in ZONES if zone != target)])
        back = SideKind.EXIT if place < 3 or start is None else rng.choice(tuple(SideKind))
        found.append(
            Portal(
                id=f"d{place}",
                from_zone=start,
                to_zone=target,
                inward=_side(rng, SideKind.ENTRY),
                outward=_side(rng, back),
                in_service=rng.random() < 0.98,
                when_old=rng.choice(tuple(OldRights)),
                attempts=Attempts(limit=2),
            )
        )
    return tuple(found)


def _approval(rng: Random) -> Approval | None:
    return _rarely(rng, None, Approval(rng.choice(STAFF), NOW - HOUR_MS), Approval("s1", NOW + 1))


def _right(rng: Random, name: str, effect: Effect) -> Right:
    sides = [f"d{place}/in" for place in range(4)]
    return Right(
        id=name,
        effect=effect,
        people=_some(rng, STAFF, least=1),
        groups=_some(rng, ("g1", "g2")),
        everyone=rng.random() < 0.3,
        sides=_some(rng, sides, least=1),
        zones=_some(rng, ZONES),
        schedule=rng.choice((None, None, "t1", "t2")),
        valid=_span(rng),
        approval=_approval(rng),
    )


def random_rights(rng: Random) -> AccessRights:
    """Return rights without a fault."""
    effects = [Effect.ALLOW] * 4 + [Effect.RESPOND] + ([Effect.DENY] if rng.random() < 0.3 else [])
    return AccessRights(
        gateway="gw-1",
        revision=Revision(1, rng.randint(1, 100)),
        issued_at_ms=NOW - _rarely(rng, HOUR_MS, 0, 5 * DAY_MS),
        max_age_s=3 * 86_400,
        key_id=KEY,
        time_zone="Asia/Shanghai",
        offsets=(Offset(0, 8 * 3600),),
        calendar=(Day(date="2026-03-04", kind=rng.choice(tuple(DayKind))),) if rng.random() < 0.3 else (),
        schedules=_schedules(rng),
        people=_people(rng),
        credentials=tuple(
            Credential(
                token(f"{kind} {one}"),
                _rarely(rng, one, None),
                kind,
                _rarely(rng, CredentialState.ACTIVE, *CredentialState),
                _span(rng),
            )
            for one in PEOPLE
            for kind in (FactorKind.CARD, FactorKind.FACE)
        ),
        groups=(Group(id="g1", people=_some(rng, STAFF)), Group(id="g2", people=_some(rng, STAFF))),
        zones=_zones(rng),
        portals=_portals(rng),
        mantraps=(Mantrap(id="m1", portals=("d0", "d1")),) if rng.random() < 0.3 else (),
        rights=tuple(_right(rng, f"r{place}", effect) for place, effect in enumerate(effects)),
        visits=tuple(
            Visit(
                id=f"v-{one}",
                person=one,
                host=rng.choice(STAFF),
                zones=_some(rng, ZONES, least=1),
                valid=Span(NOW - DAY_MS, NOW + rng.choice((-HOUR_MS, DAY_MS, DAY_MS))),
                escort=rng.choice(tuple(Escort)),
                schedule=_rarely(rng, None, "t1"),
                approval=_approval(rng),
            )
            for one in VISITORS
        ),
        authorisations=tuple(
            Authorisation(f"a-{one}-{subject}", one, Subject.ACTIVITY, subject, _span(rng))
            for one in STAFF
            for subject in _some(rng, SUBJECTS)
        ),
        equipment=(Equipment(id="e1", zone="z1", subject="balance"),),
    )


def random_state(rng: Random) -> State:
    sides = [f"d{place}/in" for place in range(4)]

    def ago() -> int:
        return STEADY - rng.choice((0, 10_000, 3 * HOUR_MS))

    return State(
        inside={one: Inside(rng.choice((*ZONES, "gone")), NOW, ago()) for one in _some(rng, PEOPLE)},
        tries={one: Tries(2, ago(), ago() + 20_000) for one in _some(rng, PEOPLE) if rng.random() < 0.2},
        waiting={
            side: tuple(Waiting(one, token(f"card {one}"), ago()) for one in _some(rng, PEOPLE))
            for side in _some(rng, sides)
        },
        passing={side: Passing(_some(rng, PEOPLE), ago() + 5000) for side in _some(rng, sides)},
        lock_downs={
            scope: LockDown(NOW, "s1", "drill") for scope in (EVERYWHERE, *ZONES) if rng.random() < 0.02
        },
    )


def random_request(rng: Random) -> Request:
    one = rng.choice(PEOPLE)
    kinds = (FactorKind.CARD, FactorKind.FACE)
    shown = [Factor(rng.choice(kinds), token(f"{rng.choice(kinds)} {one}"), KEY)]
    shown += [Factor(FactorKind.FACE, token(f"face {one}"), KEY)] * (rng.random() < 0.7)
    shown += [Factor(FactorKind.PIN, token(f"pin {rng.choice((one, one, 's1'))}"), KEY)] * (
        rng.random() < 0.7
    )
    return Request(
        side=rng.choice([f"d{place}/{way}" for place in range(4) for way in ("in", "in", "in", "out")]),
        factors=tuple(shown),
        at_ms=NOW + rng.randint(-DAY_MS // 2, DAY_MS // 2) * (rng.random() < 0.3),
        steady_ms=STEADY,
        time_trusted=rng.random() < 0.98,
        timed_out=rng.random() < 0.3,
        situation=random_situation(rng),
    )


def random_situation(rng: Random) -> Situation:
    locks = [
        *(EntryLock(Scope.ZONE, zone, f"il-{zone}", "too warm") for zone in ZONES if rng.random() < 0.04),
        *(EntryLock(Scope.PORTAL, "d0", "il-d", "too warm") for _ in range(rng.random() < 0.02)),
    ]
    jobs = [
        Job(
            id=f"j-{zone}",
            zone=zone,
            state=rng.choice(tuple(JobState)),
            people=_some(rng, STAFF),
            activities=_some(rng, SUBJECTS),
            planned=_span(rng),
        )
        for zone in ZONES
        if rng.random() < 0.6
    ]
    doors = {
        f"d{place}": Door(_rarely(rng, Contact.CLOSED, *Contact), _rarely(rng, Lock.LOCKED, *Lock))
        for place in range(4)
    }
    return Situation(locks=tuple(locks), jobs=tuple(jobs), doors=doors)


def random_revocation(rng: Random, rights: AccessRights) -> Revocation:
    """Return a revocation newer than some rights; of rights, none that denies."""
    allowing = [right.id for right in rights.rights if right.effect is not Effect.DENY]
    return Revocation(
        gateway=rights.gateway,
        revision=structs.replace(rights.revision, number=rights.revision.number + 1),
        issued_at_ms=rights.issued_at_ms,
        credentials=tuple(one.token for one in rights.credentials if rng.random() < 0.2),
        people=tuple(one for one in PEOPLE if rng.random() < 0.2),
        rights=tuple(one for one in allowing if rng.random() < 0.2),
        visits=tuple(one.id for one in rights.visits if rng.random() < 0.2),
    )


def shuffled(rng: Random, rights: AccessRights) -> AccessRights:
    """Return the same rights with every list in another order."""
    names = [
        *("calendar", "schedules", "people", "credentials", "groups", "zones", "portals", "mantraps"),
        *("rights", "visits", "authorisations", "equipment"),
    ]
    lists = {name: list(getattr(rights, name)) for name in names}
    for found in lists.values():
        rng.shuffle(found)
    return structs.replace(rights, **{name: tuple(found) for name, found in lists.items()})
