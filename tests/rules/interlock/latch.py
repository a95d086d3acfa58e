"""Judges every move of the latch by the signed tables: which row it is, and what that row says."""

from msgspec.structs import replace

from rules.interlock.inputs import Acknowledge, Asked, Enable, Reset, Trip
from rules.interlock.plan import Plan
from rules.interlock.state import LATCHED, CauseState, Phase, State
from rules.interlock.status import ballots, unsettled
from tests.rules.interlock.tables import Row, table

_COLUMNS = ("in", "when", "then", "breach", "acknowledged", "first-out")
LATCH = table(*_COLUMNS)
RESTART = table(*_COLUMNS, place=1)
ACTS: dict[type[Asked], str] = {
    Acknowledge: "acknowledge",
    Reset: "reset",
    Enable: "enable",
    Trip: "trip",
}


class Judge:
    """Holds moves to the tables and remembers which rows it saw."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.used: set[tuple[str, str]] = set()

    def time(self, before: State, after: State) -> None:
        """Judge a step."""
        self._hold(before, after, [self._of_time(before.phase, before, after)])

    def act(self, before: State, asked: Asked, after: State) -> None:
        """Judge an act that was not refused; what it leads to by itself at the same instant follows."""
        word = ACTS.get(type(asked))
        rows = [] if word is None else [self._row(LATCH, before.phase, word)]
        phase = Phase(rows[0]["then"]) if rows else before.phase
        self._hold(before, after, [*rows, self._of_time(phase, before, after)])

    def restart(self, before: State, after: State, *, when: str) -> None:
        """Judge a restart; with a bypass it may be settled at once."""
        row = self._row(RESTART, before.phase, when)
        fresh = replace(before, votes=(), resume_until=None)
        self._hold(before, after, [row, self._of_time(Phase(row["then"]), fresh, after)])

    def _row(self, rows: tuple[Row, ...], phase: Phase, when: str) -> Row:
        row = next(row for row in rows if (row["in"], row["when"]) == (phase, when))
        self.used.add((phase, when))
        return row

    def _of_time(self, phase: Phase, before: State, after: State) -> Row:
        plan = self.plan
        settled = not list(unsettled(after, plan))
        aside = {bypass.cause for bypass in after.kept.bypasses}
        instant = before.kept.tripped_at == after.kept.at and before.phase in LATCHED
        facts = {
            "a group trips": any(ballot.reached for ballot in ballots(after, plan)),
            "a cause begins to vote at the instant of the trip": instant and _more(before, after),
            "a cause begins to vote": _more(before, after),
            "its time is over": before.resume_until is not None and after.kept.at.tick >= before.resume_until,
            "every cause is normal": all(
                watch.state is CauseState.NORMAL for watch in after.watches if watch.cause not in aside
            ),
            "settled": settled,
            "not settled": not settled,
            "otherwise": True,
        }
        when = next(row["when"] for row in LATCH if row["in"] == phase and facts.get(row["when"]))
        return self._row(LATCH, phase, when)

    def _hold(self, before: State, after: State, rows: list[Row]) -> None:
        """Compare with the rows, one after the other."""
        old, new = before.kept, after.kept
        breach, acknowledged, first_out = old.breach, old.acknowledged is not None, _names(before)
        for row in rows:
            breach += 1 if row["breach"] == "+1" else 0
            acknowledged = {"kept": acknowledged, "yes": True, "no": False}[row["acknowledged"]]
            first_out = self._first_out(row["first-out"], first_out, after)
        where = (before.phase, [row["when"] for row in rows])
        assert (where, new.phase, new.breach) == (where, rows[-1]["then"], breach)
        assert (where, new.acknowledged is not None) == (where, acknowledged)
        assert (where, _names(after)) == (where, first_out)

    def _first_out(self, says: str, before: set[str], after: State) -> set[str]:
        votes = {name for one in ballots(after, self.plan) if one.reached for name in one.votes}
        match says:
            case "kept":
                return before
            case "kept, and its group's votes":
                return before | votes
            case "none":
                return set()
            case "the votes":
                return votes
            case why:
                assert why.startswith("@")
                return {why}


def _more(before: State, after: State) -> bool:
    return bool(set(after.votes) - set(before.votes))


def _names(state: State) -> set[str]:
    return {str(vote.cause) for vote in state.kept.first_out}
