"""The gateway's clock: monotonic time plus an offset, with a state and an error bound.

Pure: a hint or the passing of time goes in, the next clock and what happened come out. Offsets are slewed
by at most one tick a second; sources that disagree widen the bound and make an event, never a step.
Where hints come from is in `edge.timekeeper`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from edge.driver import TimeHint
from wire.messages import TICK_MS, Clock, Scalar
from wire.status import ClockState

TICK_NS = TICK_MS * 1_000_000
S_NS = 1_000_000_000
MS_NS = 1_000_000
_SLEW_ABOVE_NS = TICK_NS * 3 // 4
"""Further from the target than this, the offset moves; less would make it tremble on the grid."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a clock is judged."""

    drift_ppm: float = 20.0
    """How fast the monotonic clock may drift; the bound grows by it."""
    holdover_after_s: float = 300.0


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Something about time that is worth an event."""

    kind: str
    data: dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class ClockFace:
    """The clock at one moment. `target_ns` is the best offset known, `offset_ticks` the one in use."""

    rules: Rules = field(default_factory=Rules)
    state: ClockState = ClockState.UNSYNCHRONISED
    offset_ticks: int = 0
    target_ns: int = 0
    bound_ns: int = 0
    """Of the target, when it was last confirmed."""
    doubt_ns: int = 0
    """How far the sources that disagree are away, at most."""
    source: str = ""
    confirmed_ns: int = 0
    """Since when the bound grows."""
    agreed_ns: int = 0
    """When a source last agreed, be it a worse one."""
    slewed_ns: int = 0
    latest: dict[str, TimeHint] = field(default_factory=dict)
    disagreeing: frozenset[str] = frozenset()

    def grown_bound_ns(self, now_ns: int) -> int:
        """Return the target's bound now, drift included."""
        elapsed = max(0, now_ns - self.confirmed_ns)
        return self.bound_ns + int(elapsed * self.rules.drift_ppm / 1e6)

    def reading(self, now_ns: int) -> Clock:
        """Return what a batch says about its clock."""
        if self.state is ClockState.UNSYNCHRONISED:
            return Clock(self.state)
        away = abs(self.target_ns - self.offset_ticks * TICK_NS)
        bound = self.grown_bound_ns(now_ns) + max(self.doubt_ns, away)
        return Clock(self.state, self.offset_ticks, -(-bound // MS_NS), self.source)


Outcome = tuple[ClockFace, Sequence[ClockChange]]


def resumed(rules: Rules, clock: Clock, at_ns: int) -> ClockFace:
    """Return the clock that an earlier run of the same boot had at a monotonic time.

    A process that begins anew in a boot must not place its first readings by a worse clock than its last
    ones: their order would not be kept.
    """
    if clock.offset_ticks is None or clock.bound_ms is None:
        return ClockFace(rules)
    return ClockFace(
        rules,
        state=clock.state,
        offset_ticks=clock.offset_ticks,
        target_ns=clock.offset_ticks * TICK_NS,
        bound_ns=clock.bound_ms * MS_NS,
        source=clock.source,
        confirmed_ns=at_ns,
        agreed_ns=at_ns,
        slewed_ns=at_ns,
    )


def offset_of(hint: TimeHint) -> int:
    """Return UTC minus monotonic time, in nanoseconds."""
    return hint.utc_ns - hint.monotonic_ns


def advance(face: ClockFace, now_ns: int) -> Outcome:
    """Let time pass: slew towards the target, fall into holdover when nothing confirmed it for long."""
    if face.state is ClockState.UNSYNCHRONISED:
        return face, ()
    face = _slewed(face, now_ns)
    silent_s = (now_ns - face.agreed_ns) / S_NS
    if face.state is ClockState.SYNCHRONISED and silent_s > face.rules.holdover_after_s:
        held = replace(face, state=ClockState.HOLDOVER)
        return held, (ClockChange("clock_holdover", {"source": face.source}),)
    return face, ()


def _slewed(face: ClockFace, now_ns: int) -> ClockFace:
    seconds = (now_ns - face.slewed_ns) // S_NS
    if seconds <= 0:
        return face
    away = face.target_ns - face.offset_ticks * TICK_NS
    if abs(away) <= _SLEW_ABOVE_NS:
        steps = 0
    else:
        steps = min(seconds, (abs(away) + TICK_NS // 2) // TICK_NS) * (1 if away > 0 else -1)
    return replace(face, offset_ticks=face.offset_ticks + steps, slewed_ns=face.slewed_ns + seconds * S_NS)


def hear(face: ClockFace, hint: TimeHint) -> Outcome:
    """Take in what a source says."""
    face, changes = advance(face, hint.monotonic_ns)
    face = replace(face, latest={**face.latest, hint.source: hint})
    if face.state is ClockState.UNSYNCHRONISED:
        return _found(face, hint)
    away = abs(offset_of(hint) - face.target_ns)
    if away <= face.grown_bound_ns(hint.monotonic_ns) + hint.bound_ms * MS_NS:
        face, more = _agreed(face, hint)
    else:
        face, more = _disagreed(face, hint, away)
    return face, (*changes, *more)


def _found(face: ClockFace, hint: TimeHint) -> Outcome:
    offset = offset_of(hint)
    found = replace(
        face,
        state=ClockState.SYNCHRONISED,
        offset_ticks=(offset + TICK_NS // 2) // TICK_NS,
        target_ns=offset,
        bound_ns=hint.bound_ms * MS_NS,
        source=hint.source,
        confirmed_ns=hint.monotonic_ns,
        agreed_ns=hint.monotonic_ns,
        slewed_ns=hint.monotonic_ns,
    )
    return found, (ClockChange("clock_found", {"source": hint.source, "bound_ms": hint.bound_ms}),)


def _agreed(face: ClockFace, hint: TimeHint) -> Outcome:
    """The better of the two becomes the target; either way a source agreed."""
    changes: list[ClockChange] = []
    if face.state is ClockState.HOLDOVER:
        changes.append(ClockChange("clock_found", {"source": hint.source, "bound_ms": hint.bound_ms}))
    if hint.source in face.disagreeing:
        changes.append(ClockChange("clock_agrees", {"source": hint.source}))
    still = face.disagreeing - {hint.source}
    face = replace(
        face,
        state=ClockState.SYNCHRONISED,
        agreed_ns=hint.monotonic_ns,
        disagreeing=still,
        doubt_ns=face.doubt_ns if still else 0,
    )
    if hint.bound_ms * MS_NS <= face.grown_bound_ns(hint.monotonic_ns):
        face = _follow(face, hint)
    return face, changes


def _follow(face: ClockFace, hint: TimeHint) -> ClockFace:
    return replace(
        face,
        target_ns=offset_of(hint),
        bound_ns=hint.bound_ms * MS_NS,
        source=hint.source,
        confirmed_ns=hint.monotonic_ns,
        agreed_ns=hint.monotonic_ns,
    )


def _disagreed(face: ClockFace, hint: TimeHint, away_ns: int) -> Outcome:
    """Widen the bound; follow the hint, slewing, if it is as good and nobody supports the old target."""
    changes: list[ClockChange] = []
    if hint.source not in face.disagreeing:
        data: dict[str, Scalar] = {
            "source": hint.source,
            "followed": face.source,
            "away_ms": away_ns // MS_NS,
        }
        changes.append(ClockChange("clock_disagrees", data))
    as_good = hint.bound_ms * MS_NS <= face.grown_bound_ns(hint.monotonic_ns)
    supported = any(_supports(face, other, hint) for other in face.latest.values())
    doubt = max(face.doubt_ns, away_ns + hint.bound_ms * MS_NS)
    face = replace(face, disagreeing=face.disagreeing | {hint.source}, doubt_ns=doubt)
    if as_good and not supported:
        face = _follow(face, hint)
    return face, changes


def _supports(face: ClockFace, other: TimeHint, hint: TimeHint) -> bool:
    """Whether another source said lately what the target says."""
    age_s = (hint.monotonic_ns - other.monotonic_ns) / S_NS
    away = abs(offset_of(other) - face.target_ns)
    agrees = away <= face.grown_bound_ns(hint.monotonic_ns) + other.bound_ms * MS_NS
    return other.source != hint.source and age_s <= face.rules.holdover_after_s and agrees
