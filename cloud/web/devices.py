"""The page of devices: how each gateway is, what it speaks to, and what it sees that nobody set up."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs, viewer_of
from cloud.store.backlog import TOLD_WITHIN, Told, newest_backlog
from cloud.store.cameras import list_found
from cloud.store.candidates import Candidate, list_candidates
from cloud.store.connection import Connection
from cloud.store.devices_read import Device, Part, list_devices
from cloud.store.gateway_health import GatewayHealth, gateway_health
from cloud.store.latest import Latest, latest_of
from cloud.store.points import points_of
from cloud.store.sites import Gateway, Site, list_gateways, list_sites, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.device_words import CLOCKS, DRIVERS, PARTS, STATES, why_of
from cloud.web.figures import grouped, milliseconds
from cloud.web.language import Language
from cloud.web.overview import PointRow, State, gateway_state, point_row
from cloud.web.point_words import state_word
from cloud.web.reasons import SOURCES, Detail, Said, say_detail, unknown_name
from cloud.web.render import language_of, zone_of
from cloud.web.why import Why
from cloud.web.words import duration
from rules.permissions import Permission

DEVICES_MAX = 5000
CANDIDATES_MAX = 200
BOARD_MAX = 6
"""So many values of its own board are shown of a gateway."""
PARTS_MAX = 12
"""So many parts of a device are named at once; more are folded."""
_RANK = ("silent", "partly", "never", "unmonitored", "working")


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of a device."""

    name: str
    kind: Said
    state: State
    why: Why | None
    left: str
    """The state of an output that does not rest; empty of every other part."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device."""

    name: str
    kind: Said
    state: State
    why: Why | None
    points: int
    silent: int
    link: str
    """Of its first point; empty when it has none."""
    camera: str
    """Where its live view and recordings are; empty when it is no camera."""
    seen_ms: int | None
    parts: list[PartRow]
    bad_parts: int
    left_parts: int
    """Outputs that are not in the state in which they were declared to rest."""
    folded: bool
    """Whether it has so many parts that they are folded."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the newest batch of a gateway says."""

    clock: str
    bound: str
    source: str
    lag: str
    """How long after its last reading the newest batch came; empty when at once or not known."""
    missing: str
    waiting: str
    """Empty when there is none."""
    left_readings: str
    """What the gateway said waits with it and is not on its way; empty: nothing, or it is not heard."""
    left_batches: str
    left_ms: int | None
    """When it said so."""


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway with its devices."""

    name: str
    site: str | None
    title: str
    zone: ZoneInfo
    state: State
    since_ms: int | None
    last_batch_ms: int | None
    software: str
    health: Health | None
    board: list[PointRow]
    devices: list[DeviceRow]
    counts: list[State]
    """How many devices are in each state, as words."""


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """What was seen and is not configured."""

    address: str
    seen_by: str
    gateway: str
    details: list[Detail]
    first_ms: int
    last_ms: int


def add_device_pages(router: APIRouter, web: Web) -> None:
    """Add /devices, and what an open page asks for."""

    async def page(request: Request) -> HTMLResponse:
        language = language_of(request)
        now = web.now()
        async with snapshot(web.pool) as connection:
            sites = await list_sites(connection)
            zone = zone_of(await shared_zone(connection))
            gateways = await list_gateways(connection)
            devices = await list_devices(connection, now=now, limit=DEVICES_MAX)
            healths = await gateway_health(connection, [one.id for one in gateways])
            backlogs = await newest_backlog(
                connection, [one.id for one in gateways if one.online], since=now - TOLD_WITHIN
            )
            cameras = await _cameras(connection, request, now)
            seen = await list_candidates(connection, now=now, limit=CANDIDATES_MAX + 1)
            left = await list_candidates(connection, now=now, left=True, limit=CANDIDATES_MAX)
            ids = [id_ for one in devices if one.driver == "sysfs" for id_ in one.points]
            board = await latest_of(connection, await points_of(connection, ids), now=now)
        views = [
            gateway_view(
                one,
                site=next((site for site in sites if site.id == one.site_id), None),
                devices=[device for device in devices if device.gateway == one.name],
                health=healths.get(one.name),
                backlog=backlogs.get(one.id),
                board={latest.point.id: latest for latest in board},
                cameras=cameras,
                language=language,
            )
            for one in gateways
        ]
        shows = {
            "page": "devices",
            "gateways": worst_first(views),
            "candidates": [candidate_row(one, language) for one in seen[:CANDIDATES_MAX]],
            "more": len(seen) > CANDIDATES_MAX,
            "left": [candidate_row(one, language) for one in left],
        }
        return web.render.page(request, "devices.html", shows, zone=zone)

    async def part(request: Request) -> HTMLResponse:
        """Return the same; an open page asks, which keeps no session alive."""
        return await page(request)

    router.add_api_route("/devices", needs(Permission.GATEWAYS_READ)(page))
    router.add_api_route("/parts/devices", needs(Permission.GATEWAYS_READ, quiet=True)(part))


def gateway_view(
    gateway: Gateway,
    *,
    site: Site | None,
    devices: Sequence[Device],
    health: GatewayHealth | None,
    backlog: Told | None = None,
    board: Mapping[int, Latest],
    cameras: Collection[int],
    language: Language,
) -> GatewayView:
    """Return a gateway as shown; what is wrong stands first among its devices.

    `cameras` are ids of cameras whose pages may be seen.
    """
    zone = zone_of(site.time_zone) if site else ZoneInfo("UTC")
    own = [board[id_] for one in devices if one.driver == "sysfs" for id_ in one.points if id_ in board]
    ranked = sorted(devices, key=lambda one: (_RANK.index(one.state), one.name))
    return GatewayView(
        name=gateway.name,
        site=gateway.site,
        title=site.title if site else "",
        zone=zone,
        state=gateway_state(gateway, language),
        since_ms=_ms(gateway.online_since),
        last_batch_ms=_ms(gateway.last_batch_at),
        software=gateway.software or "",
        health=health_of(health, language, backlog) if health else None,
        board=[point_row(one, None, None, language=language, zone=zone) for one in own[:BOARD_MAX]],
        devices=[_device(one, cameras, language) for one in ranked],
        counts=_counts(devices, language),
    )


async def _cameras(connection: Connection, request: Request, now: datetime) -> frozenset[int]:
    """Return the ids of cameras that may be linked to: none for who may see none anywhere."""
    viewer = viewer_of(request)
    if not viewer.unbound and not viewer.holds(Permission.MEDIA_READ):
        return frozenset()
    return frozenset(one.id for one in await list_found(connection, now=now, limit=DEVICES_MAX))


def worst_first(views: Iterable[GatewayView]) -> list[GatewayView]:
    """Return gateways that are not heard first, then those with devices that do not work."""

    def rank(view: GatewayView) -> tuple[int, int, str]:
        heard = {"suspected": 0, "unmonitored": 2}.get(view.state.kind, 1)
        bad = sum(one.state.kind != "good" for one in view.devices)
        return heard, -bad, view.name

    return sorted(views, key=rank)


def health_of(health: GatewayHealth, language: Language, backlog: Told | None = None) -> Health:
    """Return a gateway's health in words."""
    source = health.clock_source.partition(":")[0]
    left = backlog if backlog is not None and any(backlog.data.values()) else None
    lag_ms = 0
    if health.newest_at is not None:
        lag_ms = round((health.received_at - health.newest_at).total_seconds() * 1000)
    return Health(
        clock=language.say(CLOCKS.get(health.clock_state, CLOCKS["unsynchronised"])),
        bound=grouped(health.bound_ms) if health.bound_ms is not None else "",
        source=language.say(SOURCES[source]) if source in SOURCES else health.clock_source,
        lag=duration(language, lag_ms) if lag_ms >= 60_000 else "",
        missing=grouped(health.missing) if health.missing else "",
        waiting=grouped(health.waiting) if health.waiting else "",
        left_readings=grouped(left.data["readings"]) if left else "",
        left_batches=grouped(left.data["batches"]) if left else "",
        left_ms=_ms(left.told_at) if left else None,
    )


def candidate_row(candidate: Candidate, language: Language) -> CandidateRow:
    """Return a candidate as shown."""
    return CandidateRow(
        address=candidate.address,
        seen_by=candidate.device,
        gateway=candidate.gateway,
        details=[say_detail(language, key, value) for key, value in candidate.data.items()],
        first_ms=milliseconds(candidate.first_seen_at),
        last_ms=milliseconds(candidate.last_seen_at),
    )


def _device(device: Device, cameras: Collection[int], language: Language) -> DeviceRow:
    parts = [_part(one, device, language) for one in device.parts]
    alone = len(parts) == 1 and parts[0].state.kind == STATES[device.state][0] and not parts[0].left
    shown = [] if alone else parts
    link = f"/sites/{device.site}#chart-{device.points[0]}" if device.site and device.points else ""
    return DeviceRow(
        name=device.name,
        kind=_word(DRIVERS, device.driver, language),
        state=_state(f"device-{device.id}", device.state, language),
        why=_why(device, language),
        points=len(device.points),
        silent=device.silent,
        link=link,
        camera=next((f"/cameras/{point}" for point in device.points if point in cameras), ""),
        seen_ms=_ms(device.last_seen_at),
        parts=shown,
        bad_parts=sum(part.state.kind not in ("good", "unmonitored") for part in shown),
        left_parts=sum(part.left != "" for part in shown),
        folded=len(shown) > PARTS_MAX,
    )


def _part(part: Part, device: Device, language: Language) -> PartRow:
    return PartRow(
        name=part.name,
        kind=_word(PARTS, part.kind, language),
        state=_state(f"part-{device.id}-{part.name}", part.state, language),
        why=_why(part, language),
        left=state_word(language, part.left) if part.left else "",
    )


def _why(one: Device | Part, language: Language) -> Why | None:
    if one.state in ("working", "unmonitored"):
        return None
    return why_of(language, one.cause, one.reason, since_ms=_ms(one.since_at))


def _counts(devices: Iterable[Device], language: Language) -> list[State]:
    states = [one.state for one in devices]
    return [
        State("", STATES[state][0], f"{states.count(state)} {language.say(STATES[state][1])}")
        for state in _RANK
        if state in states
    ]


def _state(element: str, state: str, language: Language) -> State:
    kind, word = STATES[state]
    return State(element, kind, language.say(word))


def _word(words: Mapping[str, str], key: str, language: Language) -> Said:
    return Said(language.say(words[key])) if key in words else unknown_name(language, key)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
