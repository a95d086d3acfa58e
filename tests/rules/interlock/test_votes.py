"""Why a cause voted: word, sentence, and what of it a proof test has seen, by the signed table."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.interlock.inputs import Acknowledge, Happening, Lost, ReadBack, Reading, Reset
from rules.interlock.model import Alive, Condition, Happened, InState, Limit, Plant, Rate
from rules.interlock.proof import begin_proof, record_step, watch_proof
from rules.interlock.restart import restore
from rules.interlock.sentences import chinese
from rules.interlock.state import ChangeKind, encode_kept
from tests.rules.interlock.tables import Row, table
from tests.rules.interlock.world import ANNE, CERTIFICATE, INHIBIT, PLANT, Run, cause, healthy, rule
from wire.status import Status

FLAT = replace(CERTIFICATE, correction=(Decimal(0), Decimal(0)))
SENSORS = {**PLANT.sensors, "u": replace(PLANT.sensors["u"], calibration=FLAT)}
CALIBRATED = replace(PLANT, sensors=SENSORS)
UNKNOWN = replace(PLANT, sensors={**SENSORS, "u": replace(SENSORS["u"], calibration=None)})
GUARDED = Limit(point="u", low=Decimal(22), high=Decimal(24), deadband=Decimal("0.5"))
ROWS = table("condition", "what was read", "because", "seen by a proof test")
Play = Callable[[Run], object]


def _values(*counts: int) -> Play:
    def play(run: Run) -> None:
        for second, count in enumerate(counts, start=1):
            run.see(second, u=count)
        run.see(len(counts) + 2)

    return play


def _status(status: Status) -> Play:
    return lambda run: (run.see(1, Reading("u", 100, None, status)), run.see(3))


def _silence(point: str) -> Play:
    return lambda run: (run.see(1, **{point: 2300 if point == "u" else 0}), run.see(20))


RATE = Rate(point="u", change_max=Decimal(1), within_s=5)
STATE, DOOR = InState(point="ups", normal=(0,)), InState(point="door", normal=(0,))
GAS = Happened(kind="gas", lasts_s=60)
PLAYS: dict[tuple[str, str], tuple[Condition, Play, str]] = {
    ("limit", "24.21"): (GUARDED, _values(2421, 2421, 2421), "u was 24.210, above 24"),
    ("limit", "21.79"): (GUARDED, _values(2179, 2179, 2179), "u was 21.790, below 22"),
    ("limit", "24.1"): (GUARDED, _values(2410, 2410, 2410), "u was 24.100 ± 0.2, too near to 24"),
    ("limit", "24.1, then 23.7 in the on-delay"): (
        GUARDED,
        lambda run: (run.see(1, u=2410), run.see(1.5, u=2370), run.see(2.5)),
        "u was 23.700, not far enough back from 24",
    ),
    ("limit", "23, U unknown"): (
        GUARDED,
        _values(2300, 2300, 2300),
        "u was 23.00, and its uncertainty is not known",
    ),
    ("limit", "over_range"): (
        GUARDED,
        _status(Status.OVER_RANGE),
        "u was at the end of what its sensor can tell",
    ),
    ("limit", "nothing"): (GUARDED, _silence("u"), "u: no good reading for 3.01 s"),
    ("rate", "too fast a change"): (
        RATE,
        _values(2300, 2500, 2500),
        "u changes by more than 1 in 5 s: 25.000",
    ),
    ("rate", "nothing"): (RATE, _silence("u"), "u: no good reading for 3.01 s"),
    ("state", "another state"): (STATE, lambda run: (run.see(1, ups=1), run.see(3)), "ups not 0: 1"),
    ("state", "nothing"): (STATE, _silence("ups"), "ups: no good reading for 6.01 s"),
    ("state, comes by itself", "a declared gap"): (
        DOOR,
        lambda run: (run.see(1, door=0), run.see(2, Lost("door", "bus"))),
        "door: a good reading is missing (its driver or bus failed)",
    ),
    ("alive", "nothing"): (Alive(point="u"), _silence("u"), "u: no good reading for 3.01 s"),
    ("alive, comes by itself", "a declared gap"): (
        Alive(point="door"),
        lambda run: (run.see(1, door=0), run.see(2, Lost("door"))),
        "door: a good reading is missing",
    ),
    ("event", "the event"): (GAS, lambda run: (run.see(1, Happening("gas")), run.see(3)), "event gas"),
}


@pytest.mark.requirement("H-7.3.3.5c")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['condition']}-{row['what was read']}")
def test_vote_says_why_and_a_proof_test_sees_what_it_is_about(row: Row) -> None:
    condition, play, words = PLAYS[row["condition"], row["what was read"]]
    unknown = row["what was read"].endswith("U unknown")
    plant: Plant = UNKNOWN if unknown else CALIBRATED
    run = Run(rule(cause(condition, on=1)), plant)
    run.changes.clear()
    play(run)
    (voted,) = [change for change in run.changes if change.kind is ChangeKind.VOTED]
    assert (voted.because, voted.words) == (row["because"], words)
    assert (run.watch().because, run.watch().words) == (row["because"], words)
    assert chinese(words) is not None
    begun = begin_proof(run.plan.rule, run.plan.fingerprint, by="anne", at=run.at(0))
    test = watch_proof(begun, run.changes, rule=run.plan.rule)
    seen = row["seen by a proof test"] == "yes"
    assert (test.heard, test.aside) == ((("warm",), ()) if seen else ((), ("warm",)))
    assert record_step(test, at=run.at(30), passed=True).results[0].passed is seen


def test_every_row_is_played() -> None:
    assert {(row["condition"], row["what was read"]) for row in ROWS} == set(PLAYS)


def test_vote_whose_reason_was_not_told_shows_nothing() -> None:
    run = healthy(rule(cause()))
    run.see(11, t=3000)
    begun = begin_proof(run.plan.rule, run.plan.fingerprint, by="anne", at=run.at(0))
    untold = [replace(change, because=None) for change in run.changes]
    assert watch_proof(begun, untold, rule=run.plan.rule).heard == ()
    assert watch_proof(begun, run.changes, rule=run.plan.rule).heard == ("warm",)


_STEPS = st.lists(
    st.tuples(
        st.integers(1, 900),
        st.one_of(
            st.integers(1900, 2500),
            st.sampled_from([Status.OVER_RANGE, Status.UNDER_RANGE, Status.DEVICE_ERROR, "gap", "nothing"]),
        ),
    ),
    max_size=30,
)


@pytest.mark.requirement("H-7.3.3.5c")
@given(_STEPS, st.sampled_from([0.0, 2.0]), st.booleans())
def test_step_of_a_limit_never_passes_while_every_value_is_within_it(
    steps: list[tuple[int, object]], on: float, periodic: bool
) -> None:
    """Whatever is silent, lost, of a bad status or at the end of its scale, in any order and for any time."""
    sensor = PLANT.sensors["t"]
    plant = PLANT if periodic else replace(PLANT, sensors={"t": replace(sensor, period_s=None)})
    run, tick = Run(rule(cause(on=on)), plant), 0
    for passed, what in steps:
        tick += passed
        if what == "gap":
            run.see(tick / 100, Lost("t", "bus"))
        elif isinstance(what, Status):
            run.see(tick / 100, Reading("t", tick, None, what))
        elif isinstance(what, int):
            run.see(tick / 100, Reading("t", tick, what))
        else:
            run.see(tick / 100)
    begun = begin_proof(run.plan.rule, run.plan.fingerprint, by="anne", at=run.at(0))
    seen = watch_proof(begun, run.changes, rule=run.plan.rule)
    assert not record_step(seen, at=run.at(tick), passed=True).results[0].passed


def test_reason_of_a_trip_is_kept_while_the_sensor_is_back_and_through_a_restart() -> None:
    run = healthy(rule(cause()))
    run.see(20)
    (vote,) = run.state.kept.first_out
    assert (vote.cause, vote.because, vote.words) == ("warm", "stale", "t: no good reading for 3.01 s")
    for second in (21, 22):
        run.see(second, t=2200)
    assert run.state.kept.first_out == (vote,)
    assert run.watch().because is None
    data = encode_kept(run.state.kept)
    assert restore(data, run.plan, run.at(23)).state.kept.first_out == (vote,)
    old = data.replace(b',"because":"stale","words":"t: no good reading for 3.01 s"', b"")
    assert old != data
    (before,) = restore(old, run.plan, run.at(23)).state.kept.first_out
    assert (before.cause, before.because, before.words) == ("warm", "", "")


def test_value_that_leaves_its_limit_after_the_sensor_was_silent_does_not_change_why_it_voted() -> None:
    run = healthy(rule(cause()))
    run.see(20)
    run.see(21, t=3000)
    assert run.watch().because == "stale"
    tripped = next(change for change in run.changes if change.kind is ChangeKind.TRIPPED)
    assert tripped.words == "t: no good reading for 3.01 s"


def test_output_that_is_not_what_it_was_told_to_be_says_so() -> None:
    run = healthy(rule(cause(), effects=[INHIBIT]))
    for second in (11, 12):
        run.see(second, ReadBack("source", agrees=False), t=2200)
    words = {vote.cause: (vote.because, vote.words) for vote in run.state.kept.first_out}
    assert words == {"@output/source": ("out", "output source is not what it was told to be")}


def test_first_out_and_who_acknowledged_stay_until_it_is_enabled() -> None:
    run = healthy(rule(cause()))
    run.see(11, t=3000)
    run.see(12, t=2200)
    before = run.state.kept.first_out
    run.ask(Acknowledge(by=ANNE, breach=run.breach))
    run.ask(Reset(by=ANNE, breach=run.breach))
    kept = run.state.kept
    assert (kept.phase, kept.first_out, kept.acknowledged is not None) == ("reset", before, True)
