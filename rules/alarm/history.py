"""What became of every occurrence, from the occurrences and the log alone, in whatever order data came."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from rules.alarm.desk import Act, What, underlying
from rules.alarm.model import Kind, Occurrence, State

_BEGINS = {
    What.SHELVED: State.SHELVED,
    What.SUPPRESSED: State.SUPPRESSED,
    What.TAKEN_OUT: State.OUT_OF_SERVICE,
}
_ENDS = {
    What.UNSHELVED: State.SHELVED,
    What.RELEASED: State.SUPPRESSED,
    What.PUT_BACK: State.OUT_OF_SERVICE,
}
_STRONGEST = (State.OUT_OF_SERVICE, State.SUPPRESSED, State.SHELVED)


class Muted(Struct, frozen=True, omit_defaults=True):
    """A stretch in which an alarm was shelved, suppressed or out of service."""

    state: State
    start: int
    end: int | None
    by: str
    text: str


class Row(Struct, frozen=True, omit_defaults=True):
    """One occurrence with all that was done about it."""

    occurrence: Occurrence
    state: State
    first_out: bool
    acknowledged: Act | None = None
    called: bool = False
    """People were called for it; False for what was muted or known only when it was long past."""
    remarks: tuple[Act, ...] = ()
    """Comments and assignments, in order."""
    muted: tuple[Muted, ...] = ()
    """What muted it while it stood."""


def history(
    occurrences: Iterable[Occurrence], log: Sequence[Act], *, at: int, group_of: Callable[[str], str]
) -> tuple[Row, ...]:
    """Return one row for each occurrence as it was at `at`, oldest first.

    `log` is in the order in which things were done. `group_of` gives for a point what first-out is judged
    within, such as its zone.
    """
    known = sorted(occurrences, key=lambda one: (one.onset, one.id))
    firsts = first_outs(known, group_of)
    by_point: dict[str, list[Act]] = {}
    for act in log:
        if act.at <= at:
            by_point.setdefault(act.point, []).append(act)
    return tuple(_row(one, by_point.get(one.point, []), at, first_out=one.id in firsts) for one in known)


def first_outs(occurrences: Iterable[Occurrence], group_of: Callable[[str], str]) -> frozenset[str]:
    """Return the ids of those that began while nothing else of their group stood; all of one instant."""
    ends: dict[str, int | None] = {}
    begins: dict[str, int] = {}
    firsts = set()
    for one in sorted(occurrences, key=lambda one: (one.onset, one.id)):
        group = group_of(one.point)
        if group not in ends or _is_over(ends[group], one.onset) or begins[group] == one.onset:
            firsts.add(one.id)
            if begins.get(group) != one.onset:
                begins[group], ends[group] = one.onset, one.cleared_at
        ends[group] = _later(ends[group], one.cleared_at)
    return frozenset(firsts)


def muted_spans(log: Iterable[Act], occurrence: Occurrence) -> tuple[Muted, ...]:
    """Return the stretches in which what muted its alarm touched an occurrence."""
    if occurrence.condition.kind is Kind.TAMPER:
        return ()
    opened: dict[State, Act] = {}
    spans: list[tuple[State, Act, int | None]] = []
    for act in log:
        if not _concerns(act, occurrence):
            continue
        ended = _ENDS.get(act.what) or _BEGINS.get(act.what)
        if ended in opened:
            spans.append((ended, opened.pop(ended), act.at))
        if act.what in _BEGINS:
            opened[_BEGINS[act.what]] = act
    spans += [(state, act, None) for state, act in opened.items()]
    last = occurrence.cleared_at
    touching = [
        Muted(state, act.at, end, act.by, act.text)
        for state, act, end in spans
        if (end is None or end > occurrence.onset) and (last is None or act.at <= last)
    ]
    return tuple(sorted(touching, key=lambda span: (span.start, _STRONGEST.index(span.state))))


def _concerns(act: Act, occurrence: Occurrence) -> bool:
    if act.what in (What.SUPPRESSED, What.RELEASED):
        return occurrence.condition.kind is Kind.PROCESS
    if act.what in (What.TAKEN_OUT, What.PUT_BACK):
        return True
    return act.what in (What.SHELVED, What.UNSHELVED) and act.condition is occurrence.condition


def _row(one: Occurrence, log: list[Act], at: int, *, first_out: bool) -> Row:
    about = [act for act in log if act.covers(one)]
    acknowledged = next((act for act in about if act.what is What.ACKNOWLEDGED), None)
    remarks = tuple(act for act in about if act.what in (What.COMMENTED, What.ASSIGNED))
    state = underlying(one, acknowledged=acknowledged is not None)
    spans = muted_spans(log, one)
    now = [span.state for span in spans if span.end is None]
    if now and state is not State.NORMAL:
        state = min(now, key=_STRONGEST.index)
    return Row(
        one,
        state,
        first_out,
        acknowledged=acknowledged,
        called=any(act.what is What.CALLED and _is_of(act, one) for act in log),
        remarks=remarks,
        muted=spans,
    )


def _is_of(act: Act, one: Occurrence) -> bool:
    """Whether people were called for this occurrence, or for what late data redrew as it."""
    start = one.onset if act.start is None else act.start
    return act.condition is one.condition and one.overlaps(start, start)


def _is_over(end: int | None, onset: int) -> bool:
    return end is not None and end < onset


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)
