"""A camera's time line as it is drawn: places in percent of the range, words for each stretch. Pure.

The page draws it as SVG; the list beside it says the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cloud.store.camera_timeline import Picture, Segment, Span
from cloud.web.cameras_words import PICTURES, SPANS
from cloud.web.figures import milliseconds
from cloud.web.language import Language
from cloud.web.reasons import Said, say_reason
from cloud.web.values import clock_text
from cloud.web.words import CAUSE_WORDS, duration

STEPS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
TICKS_MAX = 7
GAP_LEAST = 0.3
"""Percent; so wide every gap is drawn, however short."""
LABEL_ROOM = 4.0
"""Percent at both ends that have no label."""
MARK_APART = 0.25
"""Percent; of marks of one state that are closer only the first is drawn."""
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch as drawn."""

    state: str
    x: str
    """Percent of the width, as are all places."""
    width: str
    from_ms: int
    to_ms: int
    words: str


@dataclass(frozen=True, slots=True)
class Mark:
    """One picture as drawn."""

    state: str
    x: str
    link: int
    """Which of the pictures below it is."""
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time below the line."""

    x: str
    text: str


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One stretch in the list."""

    state: str
    word: str
    cause: str
    reason: Said
    from_ms: int
    to_ms: int
    length: str


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the range is of one state."""

    state: str
    word: str
    length: str
    percent: str


class Scale:
    """Moments of a range as percent of its width."""

    def __init__(self, from_at: datetime, to_at: datetime) -> None:
        self._from = from_at.astimezone(UTC)
        self._to = to_at.astimezone(UTC)

    def at(self, moment: datetime) -> float:
        """Return where a moment lies, 0 to 100; what is outside lies at the end."""
        share = (moment.astimezone(UTC) - self._from) / (self._to - self._from)
        return 100 * min(1.0, max(0.0, share))


def bars_of(spans: Sequence[Span], scale: Scale, *, language: Language, zone: ZoneInfo) -> list[Bar]:
    """Return stretches as drawn; gaps come last, so that they lie on top and none is too thin to be seen."""
    bars = [_bar(span, scale, language=language, zone=zone) for span in spans]
    return sorted(bars, key=lambda bar: bar.state == "gap")


def segments_of(segments: Iterable[Segment], scale: Scale, *, words: str, zone: ZoneInfo) -> list[Bar]:
    """Return the parts of the recording that are here as drawn; `words` says what they are."""
    return [
        Bar(
            "here",
            _percent(scale.at(one.from_at)),
            _percent(max(GAP_LEAST, scale.at(one.to_at) - scale.at(one.from_at))),
            milliseconds(one.from_at),
            milliseconds(one.to_at),
            f"{words}: {_times(one.from_at, one.to_at, zone)}",
        )
        for one in segments
        if one.deleted_at is None
    ]


def marks_of(pictures: Sequence[Picture], scale: Scale, *, language: Language, zone: ZoneInfo) -> list[Mark]:
    """Return pictures as marks, in order; of several of one state in one place the first."""
    marks: list[Mark] = []
    last: dict[str, float] = {}
    for index, one in enumerate(pictures):
        if one.at is None:
            continue
        x = scale.at(one.at)
        if x - last.get(one.state, -1.0) < MARK_APART:
            continue
        last[one.state] = x
        words = f"{clock_text(one.at, zone)}: {language.say(PICTURES[one.state][1])}"
        marks.append(Mark(one.state, _percent(x), index, words))
    return marks


def ticks_of(from_at: datetime, to_at: datetime, zone: ZoneInfo) -> list[Tick]:
    """Return times below the line: round ones of the zone, a few of them, none at the very ends."""
    whole = (to_at - from_at).total_seconds()
    step = next((one for one in STEPS_S if whole / one <= TICKS_MAX), _DAY_S)
    offset = from_at.astimezone(zone).utcoffset() or timedelta()
    first = -(-(from_at.timestamp() + offset.total_seconds()) // step) * step - offset.total_seconds()
    scale = Scale(from_at, to_at)
    ticks = []
    at = first
    while at < to_at.timestamp():
        moment = datetime.fromtimestamp(at, UTC)
        x = scale.at(moment)
        if LABEL_ROOM <= x <= 100 - LABEL_ROOM:
            local = moment.astimezone(zone)
            ticks.append(Tick(_percent(x), f"{local:%m-%d}" if step >= _DAY_S else f"{local:%H:%M}"))
        at += step
    return ticks


def rows_of(spans: Sequence[Span], language: Language) -> list[SpanRow]:
    """Return stretches for the list, the newest first."""
    return [
        SpanRow(
            state=one.state,
            word=language.say(SPANS[one.state]),
            cause=_cause(one, language),
            reason=say_reason(language, one.reason),
            from_ms=milliseconds(one.from_at),
            to_ms=milliseconds(one.to_at),
            length=_length(language, one.to_at - one.from_at),
        )
        for one in reversed(spans)
    ]


def shares_of(spans: Sequence[Span], language: Language) -> list[Share]:
    """Return how much of the range is of each state, those that are there; percent are rounded down."""
    whole = sum((one.to_at - one.from_at for one in spans), timedelta())
    shares = []
    for state, word in SPANS.items():
        part = sum((one.to_at - one.from_at for one in spans if one.state == state), timedelta())
        if part:
            permille = 1000 * part // whole
            percent = f"{permille // 10}.{permille % 10}"
            shares.append(Share(state, language.say(word), _length(language, part), percent))
    return shares


def sample_stretch(spans: Sequence[Span], longest: timedelta) -> tuple[datetime, datetime] | None:
    """Return the newest recorded stretch of at most `longest`, on whole seconds; None without any."""
    found = next((one for one in reversed(spans) if one.state == "recorded"), None)
    if found is None:
        return None
    end = found.to_at.replace(microsecond=0)
    start = max(found.from_at, end - longest).replace(microsecond=0)
    return (start, end) if start < end else None


def _bar(span: Span, scale: Scale, *, language: Language, zone: ZoneInfo) -> Bar:
    start, end = scale.at(span.from_at), scale.at(span.to_at)
    width = end - start
    if span.state == "gap" and width < GAP_LEAST:
        start, width = min(start, 100 - GAP_LEAST), GAP_LEAST
    said = [language.say(SPANS[span.state]), _cause(span, language), say_reason(language, span.reason).text]
    words = ": ".join(one for one in said if one)
    return Bar(
        span.state,
        _percent(start),
        _percent(width),
        milliseconds(span.from_at),
        milliseconds(span.to_at),
        f"{words}, {_times(span.from_at, span.to_at, zone)}",
    )


def _cause(span: Span, language: Language) -> str:
    return language.say(CAUSE_WORDS[span.cause]) if span.cause in CAUSE_WORDS else ""


def _times(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return f"{start.astimezone(zone):%Y-%m-%d %H:%M:%S} – {end.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _length(language: Language, span: timedelta) -> str:
    return duration(language, round(span / timedelta(milliseconds=1)))


def _percent(share: float) -> str:
    return f"{share:.3f}%"


assert all(low < high for low, high in pairwise(STEPS_S))
