"""What needs a person, or is not known, at each site: from what was read, with no words said yet. Pure.

Interlocks that are not healthy or have a cause bypassed, gateways whose control fails or that do not tell
of it, alarms that nobody acknowledged, held jobs, commands that wait for a second person, gateways that
may still honour what was ended, supplies on battery.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from cloud.store.commands import Command
from cloud.store.control_status import Held
from cloud.store.latest import Latest
from cloud.store.needs import HeldJob, HubStanding, OpenAlarm, Unhonoured, Waiting
from cloud.web.alarm_words import STATE_KINDS, STATES, Titles, titles_of, what_told
from cloud.web.attention import concern
from cloud.web.broken_words import BROKEN, CONTROL_OF
from cloud.web.interlocks_words import (
    COMMANDS,
    NOT_KNOWN,
    PHASE_KINDS,
    PHASES,
    first_out,
)
from cloud.web.interlocks_words import (
    STATES as COMMAND_STATES,
)
from cloud.web.standing import is_fresh
from cloud.web.words import mark
from rules.permissions import Permission
from wire.control import InterlockNow

BYPASSED = mark("Bypassed")
MAY_BE_HONOURED = mark("may still be honoured")
HELD = mark("Held")
INTERLOCK = mark("Interlock: %(what)s")
HUB_INTERLOCK = mark("Interlock of the hub: %(what)s")
CONTROLLED = mark("What gateway %(what)s controls")
JOB = mark("Job %(what)s")
ENDED = mark("Ended cards or rights, at gateway %(what)s")


class Group(StrEnum):
    """What a need is about; its pages are where it is settled."""

    INTERLOCK = "interlock"
    ALARM = "alarm"
    RIGHTS = "rights"
    JOB = "job"
    HUB_INTERLOCK = "hub_interlock"
    POWER = "power"
    CONTROL = "control"
    BROKEN = "broken"
    COMMAND = "command"


PERMISSIONS: Mapping[Group, Permission] = {
    Group.INTERLOCK: Permission.CONTROL_READ,
    Group.ALARM: Permission.ALARMS_READ,
    Group.RIGHTS: Permission.ACCESS_READ,
    Group.JOB: Permission.JOBS_READ,
    Group.HUB_INTERLOCK: Permission.CONTROL_READ,
    Group.POWER: Permission.READINGS_READ,
    Group.CONTROL: Permission.CONTROL_READ,
    Group.BROKEN: Permission.CONTROL_READ,
    Group.COMMAND: Permission.COMMANDS_APPROVE,
}
"""What somebody must hold at a site to be told of it."""
NEEDED = frozenset({*PERMISSIONS.values(), Permission.CONTROL_BYPASS})
"""Whatever decides what may be told."""
ATTENTION, UNKNOWN = "attention", "unknown"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that needs a person, or is not known; `word` and `about` are messages of the catalogues."""

    key: str
    """Its name in a page; it stays while the thing does."""
    group: Group
    site_id: int
    weight: int
    """The smaller, the more urgent."""
    severity: str
    """`attention`, or `unknown`: what it makes of its site's state."""
    kind: str
    """Shape and colour of its badge."""
    word: str
    about: str
    """With a place for `what`, or what is the matter with it; empty: its badge says that."""
    what: str
    where: str
    """Within the site; empty where the site says it."""
    since: datetime | None
    """None: it is not known."""
    href: str
    causes: tuple[tuple[str, str], ...] = ()
    """Of an interlock: name and words of what tripped it first, or is bypassed."""
    parts: tuple[str, ...] = ()
    """Of a gateway: what of its control does not work."""
    asker: str = ""
    """Who asked for it: it is for somebody else."""
    also: Permission | None = None
    """What has to be held besides."""


@dataclass(frozen=True, slots=True)
class Sight:
    """At which sites somebody may be told by which permission; a permission that is missing holds nowhere."""

    sites: Mapping[Permission, frozenset[int] | None]
    """None: at all."""
    who: str = ""
    """The login of who asks."""

    def sees(self, group: Group, site_id: int) -> bool:
        """Whether things of a group at a site may be told."""
        return self._holds(PERMISSIONS[group], site_id)

    def tells(self, need: "Need") -> bool:
        """Whether a need may be told, and is for who asks."""
        if need.asker and need.asker == self.who:
            return False
        also = need.also is None or self._holds(need.also, need.site_id)
        return also and self.sees(need.group, need.site_id)

    def _holds(self, permission: Permission, site_id: int) -> bool:
        seen = self.sites.get(permission, frozenset())
        return seen is None or site_id in seen

    @property
    def everything(self) -> bool:
        """Whether nothing is kept back."""
        return all(self.sites.get(one, frozenset()) is None for one in NEEDED)


ALL = Sight(dict.fromkeys(NEEDED))


@dataclass(frozen=True, slots=True)
class Needs:
    """What needs a person, the most urgent first."""

    found: tuple[Need, ...] = ()
    unlisted: Mapping[int, int] = field(default_factory=dict)
    """Site -> how many alarms it has beside those in `found`."""

    def seen(self, sight: Sight, site_id: int | None = None) -> "Needs":
        """Return what may be told of all sites or of one."""
        found = tuple(one for one in self.found if site_id in (None, one.site_id) and sight.tells(one))
        unlisted = {
            site: count
            for site, count in self.unlisted.items()
            if site_id in (None, site) and sight.sees(Group.ALARM, site)
        }
        return Needs(found, unlisted)

    def asked_by(self, who: str) -> bool:
        """Whether something of it is for anybody but this one."""
        return bool(who) and any(one.asker == who for one in self.found)

    def severities(self) -> dict[int, set[str]]:
        """Return site -> what its needs make of its state."""
        found: dict[int, set[str]] = {}
        for one in self.found:
            found.setdefault(one.site_id, set()).add(one.severity)
        return found


NOTHING = Needs()


def needs_of(waiting: Waiting, latest: Iterable[Latest], *, now: datetime) -> Needs:
    """Return what needs a person at `now`: by time alone a gateway that says nothing is not known."""
    titles = titles_of(waiting.held)
    found = [need for one in waiting.held for need in _of_gateway(one, now)]
    found += [need for one in waiting.hub_interlocks if (need := _of_hub(one, now)) is not None]
    found += [_of_alarm(one, titles) for one in waiting.alarms]
    found += [_of_job(one) for one in waiting.jobs]
    found += [_of_command(one, one.site_id) for one in waiting.commands if one.site_id is not None]
    found += [_of_rights(one) for one in waiting.rights]
    found += [need for one in latest if (need := _of_supply(one, now)) is not None]
    listed: dict[int, int] = {}
    for alarm in waiting.alarms:
        listed[alarm.site_id] = listed.get(alarm.site_id, 0) + 1
    numbers = {one.site_id: one.at_site for one in waiting.alarms}
    unlisted = {site: number - listed[site] for site, number in numbers.items() if number > listed[site]}
    return Needs(tuple(sorted(found, key=_order)), unlisted)


def _order(need: Need) -> tuple[int, float]:
    """The most severe first, then the newest; of what nobody knows since when, last."""
    return need.weight, -need.since.timestamp() if need.since else 0.0


def _of_gateway(held: Held, now: datetime) -> Iterator[Need]:
    """Yield what a gateway tells, or that it does not: what it told last is then no state of now."""
    if held.site_id is None:
        return
    if not held.is_known(now):
        yield Need(
            key=f"control-{held.gateway_id}",
            group=Group.CONTROL,
            site_id=held.site_id,
            weight=42,
            severity=UNKNOWN,
            kind="unmonitored",
            word=NOT_KNOWN,
            about=CONTROLLED,
            what=held.gateway,
            where="",
            since=held.heard_at,
            href=f"/gateways/{held.gateway}",
        )
        return
    if held.status.faults:
        yield _of_broken(held, held.site_id)
    for one in held.status.interlocks:
        if one.phase != "healthy" or one.bypasses:
            yield _of_interlock(held, held.site_id, one)


def _of_broken(held: Held, site_id: int) -> Need:
    begun = [one.at_ms for one in held.status.faults if one.at_ms is not None]
    return Need(
        key=f"broken-{held.gateway_id}",
        group=Group.BROKEN,
        site_id=site_id,
        weight=0,
        severity=ATTENTION,
        kind="attention",
        word=BROKEN,
        about=CONTROL_OF,
        what=held.gateway,
        where="",
        since=datetime.fromtimestamp(min(begun) / 1000, UTC) if begun else None,
        href=f"/interlocks#broken-{held.gateway}",
        parts=tuple(one.part for one in held.status.faults),
    )


def _of_interlock(held: Held, site_id: int, now: InterlockNow) -> Need:
    healthy, tripped = now.phase == "healthy", now.phase == "tripped"
    word = BYPASSED if healthy else PHASES.get(now.phase, now.phase.replace("_", " "))
    at_ms = None if healthy else now.tripped_at_ms
    watched = {one.name: one.words for one in now.causes}
    aside = tuple((one.cause, watched.get(one.cause, "")) for one in now.bypasses)
    return Need(
        key=f"interlock-{held.gateway_id}-{quote(now.name, safe='')}",
        group=Group.INTERLOCK,
        site_id=site_id,
        weight=0 if tripped else 40 if healthy else 20,
        severity=UNKNOWN if now.phase == "starting" else ATTENTION,
        kind="late" if healthy else PHASE_KINDS.get(now.phase, "late"),
        word=word,
        about=INTERLOCK,
        what=now.title or now.name,
        where=held.gateway,
        since=None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC),
        href=f"/interlocks/{held.gateway}/{quote(now.name, safe='')}",
        causes=aside if healthy else first_out(now),
    )


def _of_hub(one: HubStanding, now: datetime) -> Need | None:
    known, tripped = one.is_known(now), one.phase == "tripped"
    if known and one.phase == "healthy":
        return None
    return Need(
        key=f"hub-interlock-{one.id}",
        group=Group.HUB_INTERLOCK,
        site_id=one.site_id,
        weight=42 if not known else 0 if tripped else 20,
        severity=ATTENTION if known and one.phase != "starting" else UNKNOWN,
        kind=PHASE_KINDS.get(one.phase, "late") if known else "unmonitored",
        word=PHASES.get(one.phase, one.phase) if known else NOT_KNOWN,
        about=HUB_INTERLOCK,
        what=one.name,
        where="",
        since=one.tripped_at if known else one.stood_at,
        href=f"/hub-interlocks#i-{one.id}",
    )


def _of_alarm(one: OpenAlarm, titles: Titles) -> Need:
    state = "acknowledged" if one.acknowledged else "unacknowledged"
    if not one.stands:
        state = "returned_unacknowledged"
    title = one.title or titles.get((one.site_id, one.point), "")
    return Need(
        key=f"alarm-{one.id}",
        group=Group.ALARM,
        site_id=one.site_id,
        weight=(10 if one.urgent else 30) + 35 * (not one.stands) + 5 * one.acknowledged,
        severity=ATTENTION,
        kind=STATE_KINDS[state],
        word=STATES[state],
        about=what_told(one.point, one.condition),
        what=title or one.point,
        where=one.point if title else "",
        since=one.onset,
        href=f"/alarms?only={quote(one.site, safe='')}#alarm-{one.id}",
    )


def _of_job(one: HeldJob) -> Need:
    return Need(
        key=f"job-{one.id}",
        group=Group.JOB,
        site_id=one.site_id,
        weight=0,
        severity=ATTENTION,
        kind="attention",
        word=HELD,
        about=JOB,
        what=one.number,
        where=one.zone,
        since=one.held_at,
        href=f"/jobs/{one.id}",
    )


def _of_command(one: Command, site_id: int) -> Need:
    """It waits for minutes alone, and nothing of it happens before somebody else has looked."""
    about = [str(one.arguments[key]) for key in _ABOUT if key in one.arguments]
    return Need(
        key=f"command-{one.id}",
        group=Group.COMMAND,
        site_id=site_id,
        weight=5,
        severity=ATTENTION,
        kind="late",
        word=COMMAND_STATES["waiting"],
        about=COMMANDS.get(one.name, one.name),
        what=" · ".join(about) or one.gateway,
        where=one.gateway if about else "",
        since=one.asked_at,
        href=f"/commands/{one.id}",
        asker=one.asker,
        also=Permission.CONTROL_BYPASS if one.name == "interlock.bypass" else None,
    )


_ABOUT = ("interlock", "cause", "output", "device", "portal", "zone", "name")
"""What a command is about, in the order in which that is shown."""


def _of_rights(one: Unhonoured) -> Need:
    return Need(
        key=f"rights-{one.gateway}",
        group=Group.RIGHTS,
        site_id=one.site_id,
        weight=15,
        severity=ATTENTION,
        kind="bad",
        word=MAY_BE_HONOURED,
        about=ENDED,
        what=one.gateway,
        where="",
        since=one.since,
        href=f"/doors/gateways?site={quote(one.site, safe='')}",
    )


def _of_supply(latest: Latest, now: datetime) -> Need | None:
    said = concern(latest) if is_fresh(latest, now) else None
    if said is None:
        return None
    point = latest.point
    return Need(
        key=f"power-{point.id}",
        group=Group.POWER,
        site_id=point.site_id,
        weight=30,
        severity=ATTENTION,
        kind="attention",
        word=said,
        about="",
        what=point.title or point.name.rpartition("/")[0],
        where="",
        since=None,
        href=f"/sites/{quote(point.site, safe='')}#chart-{point.id}",
    )
