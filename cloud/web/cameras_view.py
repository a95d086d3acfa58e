"""Cameras, pictures, wishes and parts of recordings as the pages show them, from rows of the store. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cloud.store.camera_newest import NewestPicture
from cloud.store.camera_timeline import Picture, Segment, Timeline
from cloud.store.cameras import Camera
from cloud.store.media_wishes import Wish
from cloud.store.sites import Site
from cloud.web.cameras_words import (
    DELETED_ALONE,
    MOMENTS,
    NO_LIVE,
    PICTURES,
    STATES,
    WISH_SAYS,
    WISHES,
    say_occasion,
)
from cloud.web.device_words import joined, why_of
from cloud.web.figures import NARROW_SPACE, milliseconds
from cloud.web.language import Language
from cloud.web.overview import State
from cloud.web.reasons import Said, say_reason
from cloud.web.render import zone_of
from cloud.web.why import Why

AROUND_MS = 15_000
"""So much before and after a picture is asked for with it."""
_RANK = ("silent", "frozen", "recording")
_ENDINGS = {"video/mp2t": "ts", "video/x-matroska": "mkv"}


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest picture of a camera that is here."""

    at_ms: int
    sha256: str
    moment: str
    occasion: Said
    in_evidence: bool


@dataclass(frozen=True, slots=True)
class CameraView:
    """A camera as it is now."""

    id: int
    title: str
    device: str
    gateway: str
    site_id: int
    site: str
    site_title: str
    zone: ZoneInfo
    rooms: str
    """The zones that it watches; empty when the site file does not say."""
    state: State
    why: Why | None
    newest: Newest | None
    no_live: str
    """Why no live view would begin now; empty when one would."""
    rank: int


@dataclass(frozen=True, slots=True)
class Card:
    """A picture of the range."""

    index: int
    at_ms: int | None
    kind: str
    """Of the mark that stands for it."""
    state: State
    moment: str
    occasion: Said
    sha256: str
    size: str
    is_here: bool
    deleted_ms: int | None
    deleted_why: Said
    around: tuple[int, int] | None
    """The stretch of the recording around it, ms since 1970; None when there is no time or no picture."""


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of the recording that was brought here."""

    from_ms: int
    to_ms: int
    sha256: str
    ending: str
    size: str
    in_evidence: bool
    deleted_ms: int | None
    deleted_why: Said


@dataclass(frozen=True, slots=True)
class WishRow:
    """A stretch that was asked for, and what came of it."""

    id: int
    from_ms: int
    to_ms: int
    asked_ms: int
    state: State
    waits: bool
    says: Said
    parts: list[PartRow]


def camera_view(
    camera: Camera,
    *,
    site: Site,
    rooms: Sequence[str],
    newest: NewestPicture | None,
    unheard: bool,
    has_listener: bool,
    language: Language,
) -> CameraView:
    """Return a camera as shown; `unheard`: its gateway is not heard, `has_listener`: the hub takes media."""
    return CameraView(
        id=camera.id,
        title=camera.prefix,
        device=camera.device or "",
        gateway=camera.gateway,
        site_id=site.id,
        site=site.name,
        site_title=site.title,
        zone=zone_of(site.time_zone),
        rooms=joined(language, list(rooms)),
        state=_state(camera, language),
        why=_why(camera, unheard=unheard, language=language),
        newest=_newest(newest, language) if newest else None,
        no_live="" if camera.live else _no_live(camera, has_listener=has_listener, language=language),
        rank=_RANK.index(camera.state),
    )


def worst_first(views: Iterable[CameraView]) -> list[CameraView]:
    """Return cameras: silent ones first, then those with a frozen picture."""
    return sorted(views, key=lambda one: (one.rank, one.title))


def cards_of(pictures: Sequence[Picture], language: Language) -> list[Card]:
    """Return pictures as shown, the newest first; `index` counts from the oldest, as marks do."""
    return [_card(index, one, language) for index, one in enumerate(pictures)][::-1]


def wishes_of(timeline: Timeline, language: Language) -> list[WishRow]:
    """Return what was asked for, the last one first, each with the parts that lie in it."""
    return [
        WishRow(
            id=wish.id,
            from_ms=milliseconds(wish.from_at),
            to_ms=milliseconds(wish.to_at),
            asked_ms=milliseconds(wish.asked_at),
            state=State("", WISHES[wish.state][0], language.say(WISHES[wish.state][1])),
            waits=wish.state == "waiting",
            says=_says(wish, language),
            parts=[_part(one) for one in timeline.segments if _touches(one, wish)],
        )
        for wish in timeline.wishes
    ]


def other_parts(timeline: Timeline) -> list[PartRow]:
    """Return the parts that are here and lie in no stretch that was asked for."""
    return [
        _part(one) for one in timeline.segments if not any(_touches(one, wish) for wish in timeline.wishes)
    ]


def size_text(count: int) -> str:
    """Return a number of bytes with a unit, e.g. `1.2 MB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f}{NARROW_SPACE}{unit}"
    return f"{count}{NARROW_SPACE}B"


def _state(camera: Camera, language: Language) -> State:
    never = camera.state == "silent" and camera.heartbeat_at is None
    kind, word = STATES["never" if never else camera.state]
    return State(f"camera-{camera.id}-state", kind, language.say(word))


def _why(camera: Camera, *, unheard: bool, language: Language) -> Why | None:
    cause = camera.cause
    if camera.state == "silent" and cause is None and unheard:
        cause = "offline"
    return why_of(language, cause, camera.reason, since_ms=_ms(camera.since_at))


def _no_live(camera: Camera, *, has_listener: bool, language: Language) -> str:
    if not has_listener:
        return language.say(NO_LIVE["listener"])
    return language.say(NO_LIVE["silent" if camera.state == "silent" else "gateway"])


def _newest(newest: NewestPicture, language: Language) -> Newest:
    return Newest(
        at_ms=milliseconds(newest.at),
        sha256=newest.sha256,
        moment=_moment(newest.moment, language),
        occasion=say_occasion(language, newest.reason),
        in_evidence=newest.in_evidence,
    )


def _card(index: int, picture: Picture, language: Language) -> Card:
    kind, word = PICTURES[picture.state]
    if picture.state == "deleted" and picture.event_id is None:
        word = DELETED_ALONE
    at_ms = _ms(picture.at)
    missing = picture.state == "missing"
    return Card(
        index=index,
        at_ms=at_ms,
        kind=picture.state,
        state=State("", kind, language.say(word)),
        moment=_moment(picture.moment, language),
        occasion=say_reason(language, picture.reason) if missing else say_occasion(language, picture.reason),
        sha256=picture.sha256 or "",
        size=size_text(picture.bytes) if picture.bytes else "",
        is_here=picture.state in ("stored", "without_event"),
        deleted_ms=_ms(picture.deleted_at),
        deleted_why=say_reason(language, picture.deleted_why or ""),
        around=None if at_ms is None or missing else (at_ms - AROUND_MS, at_ms + AROUND_MS),
    )


def _part(segment: Segment) -> PartRow:
    return PartRow(
        from_ms=milliseconds(segment.from_at),
        to_ms=milliseconds(segment.to_at),
        sha256=segment.sha256,
        ending=_ENDINGS[segment.content_type],
        size=size_text(segment.bytes),
        in_evidence=segment.in_evidence,
        deleted_ms=_ms(segment.deleted_at),
        deleted_why=Said(segment.deleted_why or "", "en"),
    )


def _touches(segment: Segment, wish: Wish) -> bool:
    return segment.from_at < wish.to_at and segment.to_at > wish.from_at


def _says(wish: Wish, language: Language) -> Said:
    if wish.state == "waiting":
        return Said(language.say(WISH_SAYS["told" if wish.told_at else "asked"]))
    if wish.state in WISH_SAYS:
        return Said(language.say(WISH_SAYS[wish.state]))
    return say_reason(language, wish.why)


def _moment(moment: str, language: Language) -> str:
    return language.say(MOMENTS[moment]) if moment in MOMENTS else ""


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
