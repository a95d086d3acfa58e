"""What people do to interlocks of the hub: keep a rule, trip, acknowledge, reset, enable.

A rule names points of several sites, `site/name of point`; of a position the speed in m/s, `…#speed`.
Its effects hold the work of zones, `site/zone`, and trip interlocks of gateways by commands. It is never the
only protection: it needs hub, database and network.
"""

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from cloud.hub_interlock_trips import check_trips
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store import jobs_interlocks, jobs_points
from cloud.store.connection import Connection
from cloud.store.jobs_interlocks import HubInterlock, Trip
from rules.interlock.faults import Fault, find_faults
from rules.interlock.model import (
    STALE_PERIODS,
    Alive,
    Cause,
    Effect,
    EffectKind,
    Group,
    InState,
    Interlock,
    Limit,
    Plant,
    Rate,
    RuleSet,
    Sensor,
)
from rules.permissions import Permission
from wire.quantities import QUANTITIES
from wire.status import PointKind

LOOK_S = 0.5
"""So often the hub looks at what was stored."""
DELIVERY_S = 10.0
"""So long a command to a gateway may take to be begun."""
STALE_LEAST_S = 30.0
"""Readings come to the hub in batches over a network: earlier none of them is stale here."""
SPEED = "#speed"
ACTS = ("trip", "acknowledge", "reset", "enable")
_CONDITIONS = (Limit, Rate, InState, Alive)


async def plant_of(
    connection: Connection, organisation_id: int, points: Sequence[str]
) -> tuple[Plant, dict[str, int]]:
    """Return what rules may name, as far as these points go, and the id of the point of each."""
    plain = sorted({one.removesuffix(SPEED) for one in points})
    sensors: dict[str, Sensor] = {}
    ids: dict[str, int] = {}
    for one in await jobs_points.named_points(connection, organisation_id, plain):
        speed = one.quantity == "position"
        known = one.name + SPEED if speed else one.name
        quantity = "speed" if speed else one.quantity
        kind = PointKind.ANALOG if speed else PointKind(one.kind)
        row = None if kind is PointKind.STATE else QUANTITIES.get(quantity)
        sensors[known] = Sensor(
            point=known,
            quantity=quantity,
            kind=kind,
            exponent=-3 if speed else one.exponent,
            period_s=None if one.period_ms is None else one.period_ms / 1000,
            low=None if row is None else row.low,
            high=None if row is None else row.high,
        )
        ids[known] = one.id
    zones = await jobs_points.named_zones(connection, organisation_id)
    return Plant(sensors=sensors, zones=zones, portals=frozenset()), ids


def points_of(rule: Interlock) -> list[str]:
    """Return the points that a rule names."""
    return [cause.condition.point for _, cause in rule.causes() if isinstance(cause.condition, _CONDITIONS)]


def simple_rule(
    name: str,
    point: str,
    *,
    low: Decimal | None,
    high: Decimal | None,
    on_delay_s: float = 0.0,
    stale_after_s: float = 0.0,
) -> Interlock:
    """Return a rule with one cause, a point that leaves its limits; effects come with `save`."""
    limit = Limit(point=point, low=low, high=high, guarded=False)
    cause = Cause(name="limit", condition=limit, on_delay_s=on_delay_s, stale_after_s=stale_after_s)
    return Interlock(name=name, groups=(Group(name="causes", causes=(cause,)),), effects=())


async def save(
    act: Act,
    site_id: int,
    rule: Interlock,
    *,
    holds: Sequence[str],
    trips: Sequence[Trip],
    enabled: bool,
    reason: str,
) -> int:
    """Keep a rule under its name, the next version where there is one; a changed rule begins tripped."""
    organisation_id = await _organisation(act, site_id)
    if not act.viewer.may(Permission.SETTINGS_WRITE, organisation_id):
        raise ForbiddenError("name", rule.name, f"the permission {Permission.SETTINGS_WRITE} in all of it")
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= 500:
        raise ActError("reason", reason, "a text of 1 to 500 characters")
    rule = _patient(replace(rule, effects=_effects(rule, holds), fit=(), proof=None))
    before = await _before(act, organisation_id, rule.name) if not enabled else None
    await _check(act, organisation_id, rule, before=before)
    known = () if before is None else before.trips
    await check_trips(act, organisation_id, [one for one in trips if one not in known])
    made = await jobs_interlocks.save(
        act.connection,
        (organisation_id, site_id),
        rule,
        trips=trips,
        enabled=enabled,
        author=act.viewer.login,
        reason=reason,
        at=act.at,
    )
    new = {"holds": list(holds), "trips": [f"{one.gateway} {one.interlock}" for one in trips]}
    await act.note(
        "hub-interlock.save",
        f"hub interlock {rule.name}",
        organisation_id=organisation_id,
        new={**new, "enabled": enabled, "points": points_of(rule)},
        why=reason,
    )
    return made


async def _before(act: Act, organisation_id: int, name: str) -> HubInterlock | None:
    """Return a rule as it is kept: what is wrong with it already keeps nobody from taking it out of use."""
    found = await jobs_interlocks.list_hub_interlocks(act.connection, organisation_id=organisation_id)
    return next((one for one in found if one.name == name), None)


async def _check(act: Act, organisation_id: int, rule: Interlock, *, before: HubInterlock | None) -> None:
    for _, cause in rule.causes():
        if not isinstance(cause.condition, _CONDITIONS):
            raise ActError("rule", cause.name, "causes that look at a point: limit, rate, state, alive")
    if not rule.effects:
        raise ActError("holds", "", "a zone whose work it holds")
    rules = [rule] if before is None else [rule, before.rule]
    points = [point for one in rules for point in points_of(one)]
    plant, _ = await plant_of(act.connection, organisation_id, points)
    known = () if before is None else find_faults(RuleSet(interlocks=(before.rule,)), plant)
    faults = [one for one in find_faults(RuleSet(interlocks=(rule,)), plant) if one not in known]
    if faults:
        raise _fault(rule, faults, plant)
    if not all(character.isascii() and (character.islower() or character.isdigit() or character == "-")
               for character in rule.name):  # fmt: skip
        raise ActError("name", rule.name, "1 to 63 of a-z, 0-9 and '-'")


def _fault(rule: Interlock, faults: Sequence[Fault], plant: Plant) -> ActError:
    """Return what is wrong as one error; of a limit that no reading can pass with what the point can tell."""
    first = faults[0]
    words = "a rule that can be run: " + "; ".join(one.sentence for one in faults)
    for _, cause in rule.causes():
        at = cause.condition
        named = first.where.endswith(f"/{cause.name}")
        if first.code == "limit_outside_range" and isinstance(at, Limit) and named:
            sensor, limit = plant.sensors[at.point], at.low if first.key == "low" else at.high
            low, high = ("" if one is None else one for one in (sensor.low, sensor.high))
            return ActError("range", f"{limit}; {at.point}: {low} … {high}", words)
    return ActError(first.where, first.code, words)


def _effects(rule: Interlock, holds: Sequence[str]) -> tuple[Effect, ...]:
    named = [one.target for one in rule.effects if one.kind is EffectKind.HOLD_WORK]
    return tuple(
        Effect(kind=EffectKind.HOLD_WORK, target=one) for one in dict.fromkeys([*named, *holds]) if one
    )


def _patient(rule: Interlock) -> Interlock:
    """Return the rule with causes that are not stale before batches could have come."""
    groups = tuple(
        replace(
            group,
            causes=tuple(
                replace(one, stale_after_s=max(one.stale_after_s, STALE_LEAST_S)) for one in group.causes
            ),
        )
        for group in rule.groups
    )
    return replace(rule, groups=groups)


def worst_s(rule: Interlock, plant: Plant) -> float:
    """Return how long it takes at most from a breach, or from silence, until the hub has acted."""
    found = [0.0]
    for _, cause in rule.causes():
        sensor = plant.sensors.get(getattr(cause.condition, "point", ""))
        period = sensor.period_s or 0.0 if sensor else 0.0
        found.append(max(cause.stale_after_s, STALE_PERIODS * period, period + cause.on_delay_s))
    return max(found) + LOOK_S


async def ask(act: Act, interlock_id: int, what: str, *, breach: int, reason: str) -> None:
    """Ask for an act; the hub's room does it within a second and writes down what became of it."""
    found = await jobs_interlocks.list_hub_interlocks(act.connection, interlock_id=interlock_id)
    if not found:
        raise MissingError("interlock", interlock_id, "an existing interlock of the hub")
    interlock = found[0]
    if what not in ACTS:
        raise ActError("act", what, f"one of {', '.join(ACTS)}")
    needed = Permission.CONTROL_READ if what == "trip" else Permission.CONTROL_HANDLE
    if not act.viewer.may(needed, interlock.organisation_id, interlock.site_id):
        raise ForbiddenError("act", what, f"the permission {needed} there")
    reason = " ".join(reason.split())[:500]
    if what == "reset" and not reason:
        raise ActError("reason", reason, "a text of 1 to 500 characters")
    if what != "trip" and breach != interlock.breach:
        raise ActError("breach", breach, f"{interlock.breach}, the newest one")
    await jobs_interlocks.ask(
        act.connection,
        interlock,
        what,
        breach=breach,
        actor=act.viewer.login or act.viewer.kind,
        reason=reason,
        at=act.at,
    )
    await act.note(
        "hub-interlock.ask",
        f"hub interlock {interlock.name}",
        organisation_id=interlock.organisation_id,
        new={"act": what, "breach": breach},
        why=reason,
    )


async def _organisation(act: Act, site_id: int) -> int:
    found = await jobs_points.organisation_of(act.connection, site_id)
    if found is None:
        raise MissingError("site", site_id, "an existing site")
    return found
