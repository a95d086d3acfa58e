"""Regulation decides as its page says, row by row; and looking more often changes nothing."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.regulation import (
    NOTHING,
    UNKNOWN,
    Correction,
    Demand,
    Manual,
    Phase,
    Range,
    Rule,
    State,
    Told,
    View,
    Window,
    Wish,
    demand,
    look,
    next_write,
    written,
)
from wire.settings.regulation import DAYS, minute_of

PAGE = Path(__file__).parents[2] / "docs/explanation/regulation.md"
Row = dict[str, str]


def table(*columns: str) -> list[Row]:
    """The table of the page with these columns."""
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text("utf-8"), re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        if tuple(lines[0]) == columns:
            return [dict(zip(columns, line, strict=True)) for line in lines[2:]]
    raise AssertionError(columns)


ROOM = Range(Decimal(22), Decimal(24))
RULE = Rule(
    name="air",
    wishes=(Wish(value=230, fact="first", range=ROOM), Wish(value=250, fact="second", range=ROOM)),
    otherwise=260,
    low=160,
    high=300,
    step_max=20,
    call_after=90_000,
)
WISHED = Demand(230, "first", ROOM)
TRUTH = {"holds": True, "no": False, "unknown": None}


@pytest.mark.requirement("G-6.11", "G-6.11e")
@pytest.mark.parametrize("row", table("by hand", "first", "second", "otherwise", "wished for", "because"))
def test_first_wish_that_holds_counts(row: Row) -> None:
    rule = replace(RULE, otherwise=None if row["otherwise"] == "none" else int(row["otherwise"]))
    hand = {"none": None, "over": Manual(240, 10, "17")}.get(row["by hand"], Manual(240, 11, "17"))
    facts = {name: TRUTH[row[name]] for name in ("first", "second")}
    found = demand(rule, facts, None, manual=hand, tick=10)
    assert found.why.partition(":")[0] == row["because"]
    assert {UNKNOWN: "what is set", NOTHING: "nothing"}.get(found, str(found.value)) == row["wished for"]


@pytest.mark.parametrize("row", table("days", "start", "end", "at", "holds"))
def test_time_of_day_belongs_to_the_day_on_which_it_begins(row: Row) -> None:
    start, end = minute_of(row["start"]), minute_of(row["end"])
    window = Window(frozenset({DAYS.index(row["days"])}), start, end if end > start else end + 1440)  # type: ignore[arg-type]
    day, clock = row["at"].split()
    assert window.holds(DAYS.index(day), minute_of(clock)) == (row["holds"] == "yes")  # type: ignore[arg-type]


# --- the adjustment -----------------------------------------------------------------------------------

STATES = {
    "idle": State(),
    "setting": State(Phase.SETTING, WISHED, since=100, is_set=210),
    "waiting": State(Phase.WAITING, WISHED, since=100, reason="held"),
    "open": State(Phase.OPEN, WISHED, since=100, is_set=230, confirmed_at=150),
    "settled": State(Phase.SETTLED, WISHED, since=100, is_set=230, confirmed_at=150),
}
INSIDE, OUTSIDE = Decimal("23"), Decimal("24.01")


def seen(when: str, phase: str) -> tuple[View, int]:
    """What is looked at when, in the words of the page."""
    words = set(when.split(", "))
    view = View(demand=WISHED, released=phase != "waiting", value=INSIDE, taken=200)
    if phase != "settled":
        view = View(demand=WISHED, released=view.released, value=OUTSIDE, taken=200)
    changes = {
        "a value is wished for": {"demand": WISHED},
        "another value is wished for": {"demand": Demand(250, "second", ROOM)},
        "nothing is wished for": {"demand": NOTHING},
        "it is not known what is wished for": {"demand": UNKNOWN},
        "the output is held": {"released": False},
        "held": {"released": False},
        "the output is released": {"released": True},
        "in range": {"value": INSIDE},
        "exactly the limit": {"value": Decimal(24)},
        "read before": {"taken": 149},
        "read after": {"taken": 150},
        "out of range": {"value": OUTSIDE},
        "silent": {"value": None},
        "no range is asked for": {"demand": Demand(230, "first")},
        "time over": {},
    }
    for word in words:
        view = replace(view, **changes[word])
    return view, 100 + RULE.call_after if "time over" in words else 99 + RULE.call_after


@pytest.mark.requirement("G-6.11e")
@pytest.mark.parametrize(
    "row", table("in", "when", "then", "told"), ids=lambda row: f"{row['in']}-{row['when']}"
)
def test_adjustment_is_closed_only_by_the_point_or_a_call(row: Row) -> None:
    state = STATES[row["in"]]
    if row["when"].startswith(("confirmed", "not confirmed")):
        counts = {"confirmed, there": 230, "confirmed, on the way": 220}.get(row["when"], 230)
        failed = "the device says nothing" if row["when"] == "not confirmed" else ""
        found = written(state, RULE, counts, tick=300, failed=failed)
    else:
        view, tick = seen(row["when"], row["in"])
        before = state
        if row["when"].startswith("another value") and "held" in row["when"]:
            assert look(state, RULE, replace(view, demand=WISHED), tick=tick).told == ()
        found = look(before, RULE, view, tick=tick)
        again = look(found.state, RULE, view, tick=tick)
        assert again.told == ()
        assert again.state == found.state
    assert (found.state.phase, ", ".join(found.told)) == (row["then"], row["told"])


def test_call_closes_and_is_made_once_and_the_way_back_is_told_all_the_same() -> None:
    out = View(demand=WISHED, released=True, value=OUTSIDE, taken=200)
    called = look(STATES["open"], RULE, out, tick=100 + RULE.call_after)
    assert (called.told, called.state.closed) == ((Told.CALLED,), True)
    assert look(called.state, RULE, out, tick=100 + 5 * RULE.call_after).told == ()
    back = look(called.state, RULE, replace(out, value=INSIDE), tick=100 + 6 * RULE.call_after)
    assert (back.told, back.state.called) == ((Told.IN_RANGE,), False)


def test_failure_is_told_once_for_one_reason_and_tried_again_later() -> None:
    first = written(STATES["setting"], RULE, 230, tick=300, failed="no answer")
    assert next_write(first.state, RULE, 301) is None
    assert next_write(first.state, RULE, 3300) == 230
    assert written(first.state, RULE, 230, tick=3300, failed="no answer").told == ()
    assert written(first.state, RULE, 230, tick=3300, failed="says 21").told == (Told.FAILED,)


# --- on the way, and correction -----------------------------------------------------------------------


@pytest.mark.parametrize("row", table("stands at", "wished for", "next"))
def test_output_moves_by_its_step(row: Row) -> None:
    stands = None if row["stands at"] == "unknown" else int(row["stands at"])
    state = State(Phase.SETTING, Demand(int(row["wished for"]), "first", ROOM), is_set=stands)
    assert next_write(state, RULE, 0) == int(row["next"])


@pytest.mark.requirement("G-6.11e")
@pytest.mark.parametrize("row", table("point", "correction so far", "acts", "then"))
def test_correction_moves_the_wish_away_from_the_point(row: Row) -> None:
    rule = replace(RULE, correction=Correction(5, 3000, 10, opposite=row["acts"] == "opposite"))
    state = replace(STATES["open"], trim=int(row["correction so far"]), trimmed_at=1000)
    value = None if row["point"] == "silent" else Decimal(row["point"])
    view = View(demand=WISHED, released=True, value=value, taken=4000)
    assert look(state, rule, view, tick=3999).state.trim == state.trim
    assert look(state, rule, view, tick=4000).state.trim == int(row["then"])


STEPS = st.lists(
    st.tuples(
        st.sampled_from([WISHED, Demand(250, "second", ROOM), Demand(260, "otherwise"), NOTHING, UNKNOWN]),
        st.booleans(),
        st.sampled_from([None, INSIDE, OUTSIDE, Decimal(20)]),
        st.integers(1, 40_000),
        st.sampled_from(["", "no answer", "skip"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_comes_nothing_is_written_while_held_nor_out_of_range_nor_by_more_than_a_step(
    steps: list[tuple[Demand, bool, Decimal | None, int, str]],
) -> None:
    rule = replace(RULE, correction=Correction(5, 3000, 50))
    state, tick = State(), 0
    for wished, released, value, later, outcome in steps:
        tick += later
        view = View(demand=wished, released=released, value=value, taken=tick)
        found = look(state, rule, view, tick=tick)
        twice = look(look(state, rule, view, tick=tick).state, rule, view, tick=tick)
        assert (twice.state, twice.told) == (found.state, ())
        if Told.IN_RANGE in found.told:
            assert value == INSIDE
        closed_now = found.state.phase is Phase.SETTLED and state.phase is not Phase.SETTLED
        if closed_now:
            assert value == INSIDE or not found.state.demand.range.given
        state = found.state
        counts = next_write(state, rule, tick)
        if counts is None or outcome == "skip":
            continue
        assert released
        assert rule.low <= counts <= rule.high
        assert state.is_set is None or abs(counts - state.is_set) <= 20
        state = written(state, rule, counts, tick=tick, failed=outcome).state
