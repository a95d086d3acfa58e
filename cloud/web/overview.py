"""Sites, gateways and points as the pages show them, from rows of the store. No markup and no SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.store.latest import Latest
from cloud.store.sites import Gateway, Site
from cloud.web.figures import milliseconds, unit
from cloud.web.language import Language
from cloud.web.needs import NOTHING, Needs
from cloud.web.point_words import point_label, state_word
from cloud.web.render import zone_of
from cloud.web.sparkline import Drawing
from cloud.web.standing import gateway_kind, is_silent, site_kind
from cloud.web.values import Shown, show
from cloud.web.why import Why
from cloud.web.words import FIGURES, KINDS, STATES


@dataclass(frozen=True, slots=True)
class State:
    """A state as shown: `kind` picks shape and colour, `word` says it, `element` is where it stands."""

    element: str
    kind: str
    word: str


@dataclass(frozen=True, slots=True)
class PointRow:
    """A point in a table of values or above a chart."""

    id: int
    name: str
    label: str
    """Its title; else the quantity's name, with the last part of the point's name where that says more."""
    title: str
    unit: str
    due_ms: int | None
    shown: Shown
    spark: Drawing | None
    states: dict[str, str]
    why: Why | None
    """Why there is no good value; None while there is one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Points with the same beginning of their name, e.g. `room-2/air`."""

    name: str
    points: list[PointRow]

    @property
    def remarked(self) -> list[PointRow]:
        """Those of its points that have a remark: no value, an old one, or one that is not good."""
        return [point for point in self.points if _is_remarked(point)]

    @property
    def sound(self) -> list[PointRow]:
        """Those that have none."""
        return [point for point in self.points if not _is_remarked(point)]

    @property
    def urgent(self) -> bool:
        """Whether something in it needs a person."""
        return any(point.shown.weight == "urgent" for point in self.points)

    @property
    def remarks(self) -> int:
        """How many have a remark."""
        return len(self.remarked)


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway of a site."""

    name: str
    state: State
    since_ms: int | None
    last_batch_ms: int | None
    software: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site with its points."""

    name: str
    title: str
    kind: str
    kind_word: str
    time_zone: str
    zone: ZoneInfo
    state: State
    gateways: list[GatewayRow]
    places: list[Place]
    """Those that need a person first, then those with a remark."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A count on top of the page."""

    key: str
    word: str
    count: int


def site_kinds(
    sites: Sequence[Site],
    gateways: Sequence[Gateway],
    latest: Iterable[Latest],
    *,
    needs: Needs = NOTHING,
    now: datetime,
) -> dict[int, str]:
    """Return every site's state by its id: organisations may name their sites alike."""
    points: dict[int, list[Latest]] = {}
    for one in latest:
        points.setdefault(one.point.site_id, []).append(one)
    needed = needs.severities()
    return {
        site.id: site_kind(
            _of(gateways, site), points.get(site.id, ()), now, needs=needed.get(site.id, frozenset())
        )
        for site in sites
    }


def states(kinds: Mapping[int, str], gateways: Sequence[Gateway], language: Language) -> list[State]:
    """Return the states of all sites (as `site_kinds` gives them) and gateways, for the live stream."""
    return [
        *(_state(f"state-site-{site}", kind, language) for site, kind in kinds.items()),
        *(gateway_state(one, language) for one in gateways),
    ]


def site_view(
    site: Site,
    *,
    gateways: Sequence[Gateway],
    latest: Sequence[Latest],
    sparks: Mapping[int, Drawing],
    whys: Mapping[int, Why],
    needs: Needs = NOTHING,
    language: Language,
    now: datetime,
) -> SiteView:
    """Return what a page shows of a site; `latest`: its points, positions are judged but not listed."""
    zone = zone_of(site.time_zone)
    own = _of(gateways, site)
    kind = site_kind(own, latest, now, needs=needs.severities().get(site.id, frozenset()))
    return SiteView(
        name=site.name,
        title=site.title,
        kind=site.kind,
        kind_word=language.say(KINDS[site.kind]),
        time_zone=zone.key,
        zone=zone,
        state=_state(f"state-site-{site.id}", kind, language),
        gateways=[_gateway(one, language) for one in own],
        places=_places(
            [
                point_row(one, sparks.get(one.point.id), whys.get(one.point.id), language=language, zone=zone)
                for one in latest
                if one.point.quantity != "position"
            ]
        ),
    )


def point_row(
    latest: Latest, spark: Drawing | None, why: Why | None, *, language: Language, zone: ZoneInfo
) -> PointRow:
    """Return a point as shown."""
    point = latest.point
    return PointRow(
        id=point.id,
        name=point.name,
        label=point_label(language, point),
        title=point.title,
        unit=unit(point.quantity),
        due_ms=point.period_ms,
        shown=show(latest, language, zone),
        spark=spark,
        states={value: state_word(language, word) for value, word in point.states.items()},
        why=why,
    )


URGENCY = ("suspected", "attention", "unknown", "partly", "unmonitored", "online")
"""Sites in these states, in this order."""


def problems_first(views: Iterable[SiteView]) -> list[SiteView]:
    """Return sites with what is wrong first; among equals, and while all is well, the order stays."""

    def rank(view: SiteView) -> tuple[int, bool]:
        return URGENCY.index(view.state.kind), not any(place.remarks for place in view.places)

    return sorted(views, key=rank)


def silent_points(latest: Iterable[Latest], *, now: datetime) -> int:
    """Return how many points are silent at `now`."""
    return sum(is_silent(one, now) for one in latest)


def figures(site_states: Mapping[int, str], language: Language, *, silent: int) -> list[Figure]:
    """Return the counts on top of the page; `site_states` as `site_kinds` gives them."""
    kinds = list(site_states.values())
    counts = {
        "sites": len(kinds),
        "online": kinds.count("online"),
        "attention": kinds.count("attention"),
        "unknown": kinds.count("unknown"),
        "partly": kinds.count("partly"),
        "suspected": kinds.count("suspected"),
        "unmonitored": kinds.count("unmonitored"),
        "silent": silent,
    }
    return [Figure(key, language.say(word), counts[key]) for key, word in FIGURES.items()]


def _of(gateways: Iterable[Gateway], site: Site) -> list[Gateway]:
    return [gateway for gateway in gateways if gateway.site_id == site.id]


def _state(element: str, kind: str, language: Language) -> State:
    return State(element, kind, language.say(STATES[kind]))


def gateway_state(gateway: Gateway, language: Language) -> State:
    """Return a gateway's state as shown; the live stream follows it."""
    return _state(f"gateway-{gateway.name}", gateway_kind(gateway), language)


def _gateway(gateway: Gateway, language: Language) -> GatewayRow:
    return GatewayRow(
        name=gateway.name,
        state=gateway_state(gateway, language),
        since_ms=milliseconds(gateway.online_since) if gateway.online_since else None,
        last_batch_ms=milliseconds(gateway.last_batch_at) if gateway.last_batch_at else None,
        software=gateway.software or "",
    )


def _places(rows: Sequence[PointRow]) -> list[Place]:
    places: dict[str, list[PointRow]] = {}
    for row in rows:
        places.setdefault(row.name.rpartition("/")[0], []).append(row)
    found = [Place(name, points) for name, points in sorted(places.items())]
    return sorted(found, key=lambda place: (not place.urgent, place.remarks == 0))


def _is_remarked(point: PointRow) -> bool:
    return point.shown.flag != "" and point.shown.weight != "usual"
