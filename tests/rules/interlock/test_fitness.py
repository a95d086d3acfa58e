"""A room is fit again only when mean, spread and rate of change stayed inside for the stabilisation time."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from rules.interlock.inputs import Reading, Trip
from rules.interlock.model import Fit, Plant, Sensor
from rules.interlock.sentences import chinese
from rules.interlock.state import ChangeKind, Phase
from rules.interlock.status import unmet
from tests.rules.interlock.world import NOBODY, PLANT, Run, cause, rule
from wire.status import Status

STEADY = Fit(
    point="t",
    low=Decimal(21),
    high=Decimal(23),
    spread_max=Decimal("0.4"),
    rate_max_per_h=Decimal(60),
    window_s=10,
    time_s=20,
    guarded=False,
)


def broken(fit: Fit = STEADY, plant: Plant = PLANT) -> Run:
    """Return an interlock that tripped at 1 s and is steady but for its room."""
    run = Run(rule(cause(), fit=[fit]), plant)
    run.see(1, t=2200)
    return run


def left(run: Run) -> tuple[str, float | None]:
    one = unmet(run.state, run.plan)[0]
    return one.reason, one.remaining_s


def said(run: Run) -> str:
    return unmet(run.state, run.plan)[0].words


@pytest.mark.requirement("H-7.3.1b", "S-5.2.2.2a")
def test_steady_room_is_fit_after_its_time_and_the_rest_is_told() -> None:
    run = broken()
    for second in range(2, 21):
        run.see(second, t=2200)
        assert left(run) == ("steadying", 21.0 - second)
    run.see(21)
    assert run.phase is Phase.READY_TO_RESET
    run.release()


@pytest.mark.parametrize(
    ("odd", "fit", "inside", "words"),
    [
        (
            2235,
            replace(STEADY, high=Decimal("22.02")),
            (False, True, True),
            "mean 22.035 °C is not within 21 to 22.02 °C",
        ),
        (
            2241,
            replace(STEADY, rate_max_per_h=Decimal(90)),
            (True, False, True),
            "spread 0.41 °C is above 0.4 °C",
        ),
        (
            2235,
            replace(STEADY, rate_max_per_h=Decimal(30)),
            (True, True, False),
            "rate of change 42.000 °C/h is above 30 °C/h",
        ),
    ],
    ids=["mean", "spread", "rate"],
)
def test_what_breaks_one_of_the_three_begins_the_time_anew(
    odd: int, fit: Fit, inside: tuple[bool, bool, bool], words: str
) -> None:
    """The odd reading of 15 s is within the window of 10 s until 24 s."""
    run = broken(fit)
    for second in range(2, 15):
        run.see(second, t=2200)
    run.see(15, t=odd)
    found = run.state.fits[0]
    assert (found.mean, found.spread, found.rate) == inside
    assert left(run) == ("not_steady", 20.0)
    assert said(run) == words
    assert chinese(words) is not None
    for second in range(16, 45):
        run.see(second, t=2200)
        assert run.phase is Phase.TRIPPED
    assert left(run)[0] == "steadying"
    assert said(run).startswith(words.split()[0]), "why its time began anew stays told while it runs"
    run.see(45, t=2200)
    assert run.phase is Phase.READY_TO_RESET


def test_mean_is_narrowed_by_the_uncertainty_where_it_is_guarded() -> None:
    """22.60 is corrected by -0.126 and U is 0.2: the mean may be up to 22.274 with a limit of 22.474."""
    for high, fit in (("22.674", True), ("22.673", False)):
        steady = Fit(
            point="u",
            low=Decimal(20),
            high=Decimal(high),
            spread_max=Decimal(1),
            rate_max_per_h=Decimal(60),
            window_s=10,
            time_s=20,
        )
        run = Run(rule(cause(), fit=[steady]))
        run.see(1, t=2200, u=2260)
        assert run.state.fits[0].mean is fit


def test_mean_of_unknown_uncertainty_is_never_inside() -> None:
    run = broken(replace(STEADY, guarded=True))
    assert left(run) == ("not_steady", 20.0)


@pytest.mark.parametrize(("step", "inside"), [(16, True), (18, False)])
def test_rate_compares_the_means_of_both_halves(step: int, inside: bool) -> None:
    """60 an hour are 0.083 in the 5 s between the halves: a slope of 0.0167 a second."""
    plant = Plant(sensors={"t": Sensor(point="t", exponent=-3, period_s=1.0)})
    run = broken(replace(STEADY, low=Decimal(0), high=Decimal(50)), plant)
    for second in range(2, 20):
        run.see(second, t=2200 + step * second)
    assert run.state.fits[0].rate is inside
    assert run.state.fits[0].spread


@pytest.mark.requirement("G-6.11e")
def test_sensor_that_goes_silent_is_not_steady() -> None:
    run = broken()
    for second in range(2, 10):
        run.see(second, t=2200)
    run.see(12)
    assert run.state.fits[0].inside_since == 100
    run.see(12.01)
    assert run.state.fits[0].inside_since is None
    run.see(12.5, Reading("t", 905, 2200), Reading("t", 1250, None, Status.INVALID))
    assert run.state.fits[0].inside_since is None
    run.see(13, t=2200)
    assert run.state.fits[0].inside_since == 1300


def test_silence_is_noticed_in_its_tick_where_no_cause_watches_the_point() -> None:
    run = Run(rule(cause(), fit=[replace(STEADY, point="h")]))
    for second in range(1, 13):
        run.see(second, t=2200, **({"h": 220} if second < 10 else {}))
    assert run.state.fits[0].inside_since == 100
    run.see(12.01)
    assert run.state.fits[0].inside_since is None


def test_silence_is_dated_by_its_own_tick_however_late_somebody_looks() -> None:
    run = Run(rule(cause(stale=60), fit=[replace(STEADY, point="h")]))
    for second in range(1, 31):
        run.see(second, t=2200, h=220)
    assert run.phase is Phase.READY_TO_RESET
    run.changes.clear()
    run.see(50)
    assert [(change.kind, change.at) for change in run.changes] == [(ChangeKind.NOT_READY, run.at(33.01))]


def test_reading_that_is_given_twice_counts_once() -> None:
    run = broken()
    run.see(2, t=2200)
    run.see(2, t=2200)
    assert len(run.state.fits[0].window) == 2


def test_old_reading_is_not_looked_at() -> None:
    run = broken()
    run.see(2, Reading("t", 50, 9000))
    assert run.state.fits[0].inside_since == 100


def test_point_without_a_period_may_be_silent() -> None:
    plant = Plant(sensors={"t": Sensor(point="t", exponent=-2)})
    run = broken(plant=plant)
    run.see(21)
    assert run.phase is Phase.READY_TO_RESET


def test_what_was_ready_is_not_ready_any_more_when_the_room_is_not_steady() -> None:
    run = broken()
    for second in range(2, 22):
        run.see(second, t=2200)
    run.changes.clear()
    run.see(22, t=2241)
    assert run.kinds == [ChangeKind.NOT_READY]
    assert run.phase is Phase.TRIPPED


def test_another_breach_begins_the_time_anew() -> None:
    run = broken()
    for second in range(2, 15):
        run.see(second, t=2200)
    run.ask(Trip(by=NOBODY))
    assert left(run) == ("not_steady", 20.0)


def test_nothing_is_asked_of_the_room_before_a_breach() -> None:
    run = broken()
    for second in range(2, 22):
        run.see(second, t=2200)
    run.release()
    run.see(22, t=2300)
    assert run.state.fits == ()
    run.ask(Trip(by=NOBODY))
    assert left(run) == ("not_steady", 20.0)
