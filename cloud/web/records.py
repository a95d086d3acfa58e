"""Rows of the events list, the gaps list and the account of completeness as shown. No markup."""

from collections.abc import Iterable
from dataclasses import dataclass

from cloud.store.completeness import Completeness
from cloud.store.events_read import Event
from cloud.store.gaps_read import Gap
from cloud.web.figures import grouped, milliseconds
from cloud.web.language import Language
from cloud.web.reasons import Detail, Said, say_detail, say_reason, unknown_name
from cloud.web.words import CAUSE_WORDS, EVENTS


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event."""

    at: int
    since_ms: int | None
    """It happened between this and `at`; None: at that time."""
    kind: Said
    subject: str
    details: list[Detail]
    gateway: str


@dataclass(frozen=True, slots=True)
class GapRow:
    """One gap; `to` is None while it lasts."""

    point: str
    from_ms: int | None
    to_ms: int | None
    cause: str
    reason: Said


def event_row(event: Event, language: Language) -> EventRow:
    """Return an event as shown; a kind that has no word of its own comes readable."""
    known = EVENTS.get(event.kind)
    at = milliseconds(event.observed_at)
    since_ms = _since(event.data.get("between_ms"), at)
    shown = {key: value for key, value in event.data.items() if since_ms is None or key != "between_ms"}
    return EventRow(
        at=at,
        since_ms=since_ms,
        kind=Said(language.say(known)) if known else unknown_name(language, event.kind),
        subject=event.subject,
        details=[say_detail(language, key, value) for key, value in shown.items()],
        gateway=event.gateway or "",
    )


def _since(between_ms: object, at: int) -> int | None:
    """Return since when something that was read late may have happened; None when nobody doubts its time."""
    if isinstance(between_ms, bool) or not isinstance(between_ms, int) or not 0 < between_ms <= at:
        return None
    return at - between_ms


def gap_row(gap: Gap, language: Language) -> GapRow:
    """Return a gap as shown."""
    from_ms = milliseconds(gap.from_at) if gap.from_at else None
    return GapRow(
        point=gap.point,
        from_ms=from_ms,
        to_ms=None if gap.open else milliseconds(gap.to_at),
        cause=language.say(CAUSE_WORDS[gap.cause]),
        reason=say_reason(language, gap.reason),
    )


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The account of one point: due = stored + explained + unexplained."""

    point: str
    counted: bool
    """False when no period is declared, so that nothing is due."""
    expected: str
    stored: str
    explained: str
    unexplained: str
    missing: bool
    awaited: str
    """Of the unexplained ones, those after the newest reading; empty when there are none."""
    causes: str
    stored_share: int
    explained_share: int


def worst_first(accounts: Iterable[Completeness]) -> list[Completeness]:
    """Return accounts by what is missing for no known cause, then by what may come, then by what is known."""

    def rank(one: Completeness) -> tuple[int, int, int, str]:
        return one.awaited - one.unexplained, -one.unexplained, -one.explained, one.point

    return sorted(accounts, key=rank)


def account_row(account: Completeness, language: Language) -> AccountRow:
    """Return a point's account as shown; shares are percent, rounded down so that 100 means all."""
    whole = max(account.expected, 1)
    return AccountRow(
        point=account.point,
        counted=account.period_ms is not None,
        expected=grouped(account.expected),
        stored=grouped(account.stored),
        explained=grouped(account.explained),
        unexplained=grouped(account.unexplained),
        missing=account.unexplained > account.awaited,
        awaited=grouped(account.awaited) if account.awaited else "",
        causes=", ".join(
            f"{language.say(CAUSE_WORDS[cause])} {grouped(count)}" for cause, count in account.causes.items()
        ),
        stored_share=100 * account.stored // whole,
        explained_share=100 * account.explained // whole,
    )
