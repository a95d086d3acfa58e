"""What a data plan leaves for readings on a mobile link: pure decisions, and the account they are made from.

Spending is judged against the share of the period that has passed. Who runs ahead by more than an hour of a
day (of a month: 30 hours) sends only every n-th reading, the fewer the further ahead; who has spent
everything sends none. What waited goes while spending is behind. Events are no reading and are never asked
about here.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from edge.journal.sieve import FULL, NOTHING_YET, Pace, tighter
from wire.settings.network import DataBudget

SHARES = 24
"""Into so many shares a budget is parted; one of them may be spent ahead."""
DOUBLINGS_MAX = 10
BACK_S = 3600
"""So far a clock may go back behind the beginning of a period that still counts as begun."""
OVERHEAD_BYTES = 400
"""What a batch costs beside its own bytes until it is acknowledged: TLS, TCP, MQTT, the hub's ack; about."""


class Period(NamedTuple):
    """A day or a month of the plan, in UTC seconds."""

    start_s: int
    end_s: int


def day_of(utc_s: int, *, starts_h: int) -> Period:
    """Return the day of the plan that a moment falls into."""
    start = utc_s - (utc_s - starts_h * 3600) % 86_400
    return Period(start, start + 86_400)


def month_of(utc_s: int, *, starts_d: int, starts_h: int) -> Period:
    """Return the month of the plan that a moment falls into; `starts_d` is at most 28."""
    moment = datetime.fromtimestamp(utc_s, UTC)
    start = datetime(moment.year, moment.month, starts_d, starts_h, tzinfo=UTC)
    if moment < start:
        start = _other_month(start, -1)
    return Period(int(start.timestamp()), int(_other_month(start, 1).timestamp()))


def _other_month(start: datetime, direction: int) -> datetime:
    """Go 31 days on, or 1 day before, from the first of the month, and back to the day of the plan."""
    first = start.replace(day=1)
    other = first + timedelta(days=31 if direction > 0 else -1)
    return start.replace(year=other.year, month=other.month)


class Spending(NamedTuple):
    """A budget, what was spent of it, and how much of its period has passed."""

    budget: int
    spent: int
    passed_s: int
    length_s: int


def pace_of(spending: Spending, *, thinned: bool) -> Pace:
    """Return what may go out over a mobile link.

    `thinned` says whether readings are thinned already: they are until the spending is back at its share.
    """
    budget, spent, passed_s, length_s = spending
    if spent >= budget:
        return NOTHING_YET
    shares_ahead, rest = divmod(SHARES * (spent * length_s - budget * passed_s), budget * length_s)
    ahead = shares_ahead >= 0 and (shares_ahead > 0 or rest > 0)
    if shares_ahead >= 1 or (thinned and ahead):
        return Pace(2 ** min(max(shares_ahead, 1), DOUBLINGS_MAX), backlog=False)
    return Pace(1, backlog=_waited_may_go(spending))


def _waited_may_go(spending: Spending) -> bool:
    """Whether what waited may go: while spending is a share behind.

    Within the first two shares half of what has passed is enough, and half a share may be spent from the
    beginning: so what waits goes at once where nothing was spent, and leaves fresh readings half a share at
    least before they are thinned.
    """
    budget, spent, passed_s, length_s = spending
    half_shares = max(2 * (SHARES * passed_s - length_s), SHARES * passed_s, length_s)
    return 2 * SHARES * spent * length_s <= budget * half_shares


class Account(msgspec.Struct, frozen=True, array_like=True):
    """What was spent since a period began; `start_s` is None while the time was not known."""

    start_s: int | None = None
    spent: int = 0

    before: tuple[int, int] | None = None
    """Beginning and spending of the account that went before: a clock may turn out to have been wrong."""

    def on(self, period: Period | None, grown: int, *, utc_s: int | None) -> "Account":
        """Go on with it. It begins anew with a later period, and not because a clock went back a little.

        When the clock goes back further, one of the two times was wrong: the account of the period of now is
        gone on with, and has what was spent meanwhile.
        """
        if period is None or utc_s is None:
            return Account(self.start_s, self.spent + grown, self.before)
        known = period.start_s if self.start_s is None else self.start_s
        if period.start_s == known or known - BACK_S <= utc_s < known:
            return Account(known, self.spent + grown, self.before)
        kept = self.before[1] if self.before and self.before[0] == period.start_s else 0
        meanwhile = self.spent if period.start_s < known else 0
        return Account(period.start_s, kept + meanwhile + grown, (known, self.spent))


class Ledger(msgspec.Struct, frozen=True, array_like=True):
    """What is kept over restarts."""

    accounts: dict[str, Account] = {}
    stride: int = 1
    """What was told last."""


class Budget:
    """The account of one gateway."""

    def __init__(self, settings: DataBudget | None) -> None:
        """Without settings everything may always go."""
        self._limits = _limits(settings)
        self._settings = settings
        self.ledger = Ledger()
        self._passed: dict[str, tuple[int, int]] = {}
        self._metered: bool | None = None
        """Whether the link costs; None before the first look."""
        self._carried = 0
        self._settled = FULL

    def resume(self, ledger: Ledger) -> None:
        """Go on with what was kept."""
        kept = {name: ledger.accounts.get(name, Account()) for name in self._limits}
        self.ledger = Ledger(kept, ledger.stride)
        self._settled = Pace(ledger.stride, backlog=False)

    def carried(self, size: int) -> None:
        """Count a batch until the next look at the interfaces finds its bytes."""
        self._carried += size + OVERHEAD_BYTES

    def looked(self, grown: int, *, metered: bool, utc_s: int | None) -> bool:
        """Take in what went over mobile links since the last look; return whether that is to be told.

        Full, thinned and spent are told apart; another stride is no news.
        """
        self._metered = metered
        self._carried = 0
        accounts: dict[str, Account] = {}
        for name in self._limits:
            period = self._period(name, utc_s)
            account = self.ledger.accounts.get(name, Account()).on(period, grown, utc_s=utc_s)
            accounts[name] = account
            self._passed[name] = _passed(account, period, utc_s)
        before = self.ledger.stride
        self.ledger = Ledger(accounts, before)
        self._settled = self.pace()
        self.ledger = Ledger(accounts, self._settled.stride)
        return min(before, 2) != min(self._settled.stride, 2)

    def blind(self) -> None:
        """Nothing can be looked at: what goes out is counted as if it went over a mobile link."""
        if self._metered is None:
            self._metered = True

    def pace(self) -> Pace:
        """Return what may go out now; nothing but events before the first look."""
        if not self._limits:
            return FULL
        if self._metered is None:
            return NOTHING_YET
        if not self._metered:
            return FULL
        thinned = not self._settled.full
        return tighter(pace_of(spending, thinned=thinned) for spending in self._spendings())

    def left(self, name: str) -> int:
        """Return how much of a budget is left; 0 when more than it was spent."""
        return max(0, self._limits[name] - self.spent(name))

    def spent(self, name: str) -> int:
        """Return what was spent of a budget."""
        return self.ledger.accounts.get(name, Account()).spent

    def names(self) -> Iterable[str]:
        """Return `day`, `month` or both."""
        return list(self._limits)

    def _period(self, name: str, utc_s: int | None) -> Period | None:
        if utc_s is None or self._settings is None:
            return None
        starts_h = self._settings.day_starts_h
        if name == "day":
            return day_of(utc_s, starts_h=starts_h)
        return month_of(utc_s, starts_d=self._settings.month_starts_d, starts_h=starts_h)

    def _spendings(self) -> Iterable[Spending]:
        for name, budget in self._limits.items():
            passed_s, length_s = self._passed.get(name, (0, 1))
            yield Spending(budget, self.spent(name) + self._carried, passed_s, length_s)


def _passed(account: Account, period: Period | None, utc_s: int | None) -> tuple[int, int]:
    """Return how much of how long a period has passed; nothing of it while the time is not known."""
    if period is None or utc_s is None or account.start_s != period.start_s:
        return 0, 1
    return utc_s - period.start_s, period.end_s - period.start_s


def _limits(settings: DataBudget | None) -> dict[str, int]:
    if settings is None:
        return {}
    both = {"day": settings.day_bytes, "month": settings.month_bytes}
    return {name: limit for name, limit in both.items() if limit is not None}
