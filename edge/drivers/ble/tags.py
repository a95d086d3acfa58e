"""Asset tags and badges: presence in the zone, as events and as a recorded state.

The decision is `rules.presence`; this feeds it and tells its changes. Time passes only while the radio
hears: that a tag was not heard by a deaf radio says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from edge.driver import Emitter, ticks
from edge.drivers.ble.decode import Beacon, eddystone, ibeacon
from rules.presence import Change, Kind, Presence, PresenceRules, deaf, heard, passed
from wire.layouts import make_layout
from wire.messages import TICK_MS, TICKS_PER_S, Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.ble import BleDevice, BleTag
from wire.status import GapCause, PointKind, Status

STATES = {"0": "away", "1": "here"}
_WORDS = {Kind.ENTERED: "zone_entered", Kind.DWELLED: "zone_dwelled", Kind.LEFT: "zone_left"}


@dataclass(slots=True)
class _Tag:
    settings: BleTag
    state: Presence = field(default_factory=Presence)


class Tags:
    """Every tag and badge of one device."""

    def __init__(self, settings: BleDevice) -> None:
        wanted = settings.presence
        self._device, self._zone = settings.name, settings.zone
        self._rules = PresenceRules(
            enter_dbm=wanted.enter_dbm,
            leave_dbm=wanted.leave_dbm,
            smoothing=wanted.smoothing_s * TICKS_PER_S,
            enter=round(wanted.enter_s * TICKS_PER_S),
            leave=round(wanted.leave_s * TICKS_PER_S),
            dwell=round(wanted.dwell_s * TICKS_PER_S),
        )
        self._period = wanted.period_ms // TICK_MS
        self._tags = {beacon_of(tag): _Tag(tag) for tag in settings.tag}
        self.points = [_declare(tag, settings) for tag in settings.tag]
        self.layout: Layout | None = (
            make_layout([point.name for point in self.points], [0] * len(self.points))
            if self.points
            else None
        )
        self._hears_since: int | None = None
        self._polled: int | None = None
        self._silent = False

    def begin(self) -> None:
        """A run begins: nothing is known of any tag."""
        self._hears_since, self._polled, self._silent = None, None, False
        for tag in self._tags.values():
            tag.state = Presence()

    def __contains__(self, beacon: Beacon) -> bool:
        """Whether this is a tag of the settings."""
        return beacon in self._tags

    async def heard(self, beacon: Beacon, at_ns: int, rssi: int, *, emit: Emitter) -> None:
        """Take an advertisement of a tag of the settings."""
        tag = self._tags[beacon]
        before = tag.state.inside
        tag.state, changes = heard(tag.state, self._rules, at=ticks(at_ns), rssi=rssi)
        await self._tell(tag, changes, emit)
        if tag.state.inside != before:
            await self._poll(ticks(at_ns), emit)

    async def deaf(self, from_ns: int, to_ns: int, emit: Emitter) -> None:
        """The radio heard nobody in this stretch, and hears again."""
        for tag in self._tags.values():
            tag.state, changes = deaf(tag.state, self._rules, start=ticks(from_ns), end=ticks(to_ns))
            await self._tell(tag, changes, emit)
        self._hears_since, self._silent = ticks(to_ns), False

    async def look(self, heard_ns: int, emit: Emitter) -> None:
        """Let time pass up to when the radio last heard anybody; record the states when that is due."""
        at = ticks(heard_ns)
        if self.layout is None or self._hears_since is None or at < self._hears_since:
            return
        moved = False
        for tag in self._tags.values():
            before = tag.state.inside
            tag.state, changes = passed(tag.state, self._rules, at)
            await self._tell(tag, changes, emit)
            moved |= tag.state.inside != before
        if moved or self._polled is None or at - self._polled >= self._period:
            await self._poll(at, emit)

    async def silent(self, now_ns: int, trouble: str, emit: Emitter) -> None:
        """The radio is in trouble: who is here cannot be known."""
        if self.points and not self._silent:
            self._silent = True
            names = [point.name for point in self.points]
            await emit.silent(names, cause=GapCause.RADIO, reason=trouble, tick=ticks(now_ns))

    async def _poll(self, at: int, emit: Emitter) -> None:
        if self.layout is None or (self._polled is not None and at <= self._polled):
            return
        self._polled = at
        settled = self._hears_since is not None and at - self._hears_since >= self._rules.leave
        counts = [
            int(tag.state.inside) if tag.state.inside or settled else None for tag in self._tags.values()
        ]
        flags = [(place, int(Status.UNKNOWN)) for place, count in enumerate(counts) if count is None]
        await emit.poll(Poll(self.layout.id, at, list(counts), flags))

    async def _tell(self, tag: _Tag, changes: Sequence[Change], emit: Emitter) -> None:
        for change in changes:
            data: dict[str, Scalar] = {
                "device": self._device,
                "zone": self._zone,
                "kind": tag.settings.kind,
                "after_ms": (change.at - change.since) * TICK_MS,
                "rssi": None if change.level is None else round(change.level),
            }
            await emit.event(Event(_WORDS[change.kind], tag.settings.name, change.at, data))


def beacon_of(tag: BleTag) -> Beacon:
    """Return what the advertisements of a tag of the settings say."""
    if tag.uuid is not None and tag.major is not None and tag.minor is not None:
        return ibeacon(UUID(tag.uuid), tag.major, tag.minor)
    assert tag.namespace is not None
    assert tag.instance is not None
    return eddystone(tag.namespace, tag.instance)


def _declare(tag: BleTag, settings: BleDevice) -> PointDeclaration:
    return PointDeclaration(
        name=f"{tag.name}/presence",
        quantity="state",
        kind=PointKind.STATE,
        period_ms=settings.presence.period_ms,
        device=settings.name,
        states=STATES,
    )
