"""The record states what the series say, the same in any order, and makes nothing up."""

import random
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.access.words import JobState
from rules.alarm.model import Sample
from rules.jobs.model import Cause, Hold, Job, Limit, LimitSet
from rules.jobs.record import (
    Excursion,
    Record,
    Series,
    Shortage,
    Stay,
    Verdict,
    environment_of,
    presence_of,
    record,
)
from rules.jobs.spans import Span, joined, total, within, without
from tests.rules.alarm.world import samples, table_with

pytestmark = pytest.mark.requirement("H-7.3.1b", "H-6.3.3b", "H-6.4.3c", "S-4.4.2")

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "jobs.md"
LIMIT = Limit("temperature", Decimal(18), Decimal(22))
LIMITS = LimitSet("JJG 130", 3, (LIMIT,))
WHOLE = Span(100, 200)
JOB = Job(
    id="j-1",
    method="JJG 130",
    limits_version=3,
    people=("ann", "bob"),
    instruments=(),
    zone="room-2",
    planned=WHOLE,
    state=JobState.FINISHED,
    started_at=100,
    finished_at=200,
)
BOTH = (Stay("ann", 50), Stay("bob", 60, 900))


def series(
    *pairs: tuple[int, str | int | None], hold: int | None = 30, quantity: str = "temperature"
) -> Series:
    return Series("room-2/air", quantity, -2, hold, tuple(samples(*pairs)))


STEADY = series((90, 20), (120, 21), (150, "20.5"), (180, 20))


def stated(job: Job = JOB, given: Iterable[Series] = (STEADY,), **more: object) -> Record:
    known = {"stays": BOTH, "until": 500} | more
    found = record(job, LIMITS, given, **known)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_quiet_job_met_what_was_asked() -> None:
    found = stated()
    (environment,) = found.environment
    assert (found.verdict, found.final, found.span, found.work) == (Verdict.MET, True, WHOLE, (WHOLE,))
    assert (environment.verdict, environment.gaps, environment.excursions) == (Verdict.MET, (), ())
    summary = environment.whole
    assert (summary.count, summary.least, summary.most) == (4, Decimal(20), Decimal(21))
    assert str(summary.mean) == "20.3750"
    assert environment.work == summary
    assert (found.missing, found.presence.verdict, found.held_ticks) == ((), Verdict.MET, 0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Record) == found


def test_mean_is_rounded_half_to_even_two_places_finer() -> None:
    def mean(*values: str) -> str:
        given = series(*((100 + n, value) for n, value in enumerate(values)), hold=None)
        return str(environment_of(given, None, WHOLE, work=(WHOLE,)).whole.mean)

    assert mean("20.00", "20.01", "20.01") == "20.0067"
    assert mean(*["20.00"] * 7, "20.0004") == "20.0000"  # 0.00005: to even
    assert mean(*["20.00"] * 7, "20.0012") == "20.0002"  # 0.00015: to even


GIVEN = {
    ("no", "no"): STEADY,
    ("no", "yes"): series((90, 20), (150, 20), (180, 20)),
    ("yes", "no"): series((90, 20), (120, 23), (150, 20), (180, 20)),
    ("yes", "yes"): series((90, 20), (150, "17.99"), (180, 20)),
}


@pytest.mark.parametrize(
    "row",
    table_with("out of limits during work", "gap during work", "limit", "environment", page=PAGE),
    ids=str,
)
def test_environment_is_that_of_the_page(row: dict[str, str]) -> None:
    given = GIVEN[row["out of limits during work"], row["gap during work"]]
    if row["limit"] == "no":
        given = replace(given, quantity="pressure")
    (environment,) = stated(given=[given]).environment
    assert environment.verdict is Verdict(row["environment"])
    assert bool(environment.gaps) == (row["gap during work"] == "yes")


@pytest.mark.parametrize(
    "row",
    table_with("too few during work", "nothing known during some of it", "presence", page=PAGE),
    ids=str,
)
def test_presence_is_that_of_the_page(row: dict[str, str]) -> None:
    stays = (Stay("ann", 50), Stay("bob", 50, 150 if row["too few during work"] == "yes" else None))
    blind = (Span(110, 120),) if row["nothing known during some of it"] == "yes" else ()
    found = stated(stays=stays, blind=blind)
    assert found.presence.verdict is Verdict(row["presence"])
    assert found.verdict is Verdict(row["presence"])


def test_value_at_the_start_counts_and_gaps_are_told_to_the_tick() -> None:
    found = stated(given=[series((80, 21), (130, 20), (140, None), (190, 20), (250, 99))])
    (environment,) = found.environment
    assert environment.gaps == (Span(110, 130), Span(140, 190))
    assert environment.whole.count == 3
    assert found.verdict is Verdict.UNDETERMINED


def test_point_that_speaks_only_of_changes_stands_until_the_next() -> None:
    (environment,) = stated(given=[series((10, 20), hold=None)]).environment
    assert (environment.verdict, environment.whole.count, environment.gaps) == (Verdict.MET, 1, ())


def test_of_several_readings_at_one_instant_the_same_one_stands_in_any_order() -> None:
    twice = [(100, 20), (100, 21), (100, None), (120, 20)]
    for order in ((0, 1, 2, 3), (1, 0, 3, 2), (2, 1, 0, 3), (2, 0, 1, 3)):
        given_so = series(*(twice[n] for n in order), hold=None)
        (environment,) = stated(given=[given_so]).environment
        assert (environment.whole.count, environment.whole.most, environment.gaps) == (2, Decimal(21), ())


def test_series_without_any_value_is_one_gap() -> None:
    for one in (series(), series((110, None)), series((250, 20)), series((10, 20), (90, None))):
        (environment,) = stated(given=[one]).environment
        assert environment.gaps == (WHOLE,)
        assert environment.whole.mean is None
        assert environment.work.count == 0
        assert environment.verdict is Verdict.UNDETERMINED


def test_excursion_has_its_stretch_and_its_worst_on_either_side() -> None:
    found = stated(
        given=[series((90, 20), (110, 23), (120, "22.5"), (140, 17), (145, 22), (150, 25), (190, 18))]
    )
    (environment,) = found.environment
    assert environment.excursions == (
        Excursion(Span(110, 145), Decimal(23)),
        Excursion(Span(150, 180), Decimal(25)),
    )
    assert environment.gaps == (Span(180, 190),)
    low = stated(given=[series((90, 17), (110, 16), (130, 20), (160, 20), (190, 20))]).environment[0]
    assert low.excursions == (Excursion(Span(100, 130), Decimal(16)),)
    one_sided = environment_of(series((100, 5), hold=None), Limit("t", low=Decimal(6)), WHOLE, work=(WHOLE,))
    assert one_sided.excursions == (Excursion(WHOLE, Decimal(5)),)
    narrow = environment_of(
        series((100, "6.2"), (110, "6.5"), (120, "6.1"), hold=None),
        Limit("t", high=Decimal(6)),
        WHOLE,
        work=(WHOLE,),
    )
    assert narrow.excursions == (Excursion(WHOLE, Decimal("6.5")),)
    narrow = environment_of(
        series((100, "5.8"), (110, "5.5"), hold=None), Limit("t", low=Decimal(6)), WHOLE, work=(WHOLE,)
    )
    assert narrow.excursions == (Excursion(WHOLE, Decimal("5.5")),)
    upper = environment_of(
        series((100, 7), (110, 8), hold=None), Limit("t", high=Decimal(6)), WHOLE, work=(WHOLE,)
    )
    assert upper.excursions == (Excursion(WHOLE, Decimal(8)),)


def test_excursion_inside_a_hold_is_told_and_not_held_against_the_work() -> None:
    hold = Hold(120, 125, (Cause("temperature", 120, 150),), 160, "ann", "fan repaired")
    hot = series((90, 20), (120, 25), (150, 21), (155, 20), (175, 20))
    stays = (Stay("ann", 50), Stay("bob", 50, 121), Stay("bob", 159))
    found = stated(replace(JOB, holds=(hold,)), [hot], stays=stays)
    (environment,) = found.environment
    assert (found.work, found.marked, found.held_ticks) == (
        (Span(100, 120), Span(160, 200)),
        (Span(120, 160),),
        40,
    )
    assert environment.whole.most == Decimal(25)
    assert (environment.work.most, environment.work.count) == (Decimal(20), 2)
    assert len(environment.excursions) == 1
    assert found.verdict is Verdict.MET
    assert found.holds == (hold,)
    unheld = stated(JOB, [hot], stays=BOTH)
    assert unheld.verdict is Verdict.NOT_MET
    marked = stated(replace(JOB, found_later=(Cause("temperature", 120, 150),)), [hot])
    assert marked.verdict is Verdict.MET


def test_running_job_has_a_record_up_to_now_and_a_planned_one_none() -> None:
    running = replace(JOB, state=JobState.HELD, finished_at=None, holds=(Hold(150, 151, (Cause("t", 150),)),))
    found = stated(running, until=190)
    assert (found.final, found.span, found.marked) == (False, Span(100, 190), (Span(150, 190),))
    planned = replace(JOB, state=JobState.PLANNED, started_at=None, finished_at=None)
    assert record(planned, LIMITS, [STEADY], stays=BOTH, until=190) is None


def test_quantity_without_a_series_is_undetermined_and_named() -> None:
    found = stated(given=[replace(STEADY, quantity="pressure")])
    assert (found.missing, found.verdict) == (("temperature",), Verdict.UNDETERMINED)
    assert found.environment[0].verdict is Verdict.NOT_ASKED


def test_other_limit_set_than_the_jobs_is_refused() -> None:
    with pytest.raises(ValueError, match="limits are JJG 130, version 4; expected JJG 130, version 3"):
        record(JOB, replace(LIMITS, version=4), [], stays=(), until=500)


def test_shortages_say_who_was_there_and_strangers_do_not_count() -> None:
    stays = (
        Stay("ann", 50, 130),
        Stay("ann", 140, 200),
        Stay("bob", 50, 170),
        Stay("eve", 0),
        Stay("bob", 5, 90),
    )
    found = presence_of(stays, ("ann", "bob"), (WHOLE,), least=2)
    assert found.shortages == (
        Shortage(Span(130, 140), ("bob",)),
        Shortage(Span(170, 200), ("ann",)),
    )
    assert presence_of((), ("ann",), (), least=2).verdict is Verdict.MET
    nobody = presence_of([Stay("eve", 120)], ("ann",), (WHOLE,), least=1)
    assert nobody.shortages == (Shortage(WHOLE, ()),)
    in_pieces = presence_of([Stay("ann", 100, 150), Stay("ann", 150)], ("ann",), (WHOLE,), least=2)
    assert in_pieces.shortages == (Shortage(WHOLE, ("ann",)),)


def test_where_nobody_can_tell_nobody_is_missing_and_nobody_there() -> None:
    stays = (Stay("ann", 50), Stay("bob", 50, 140))
    found = presence_of(stays, ("ann", "bob"), (WHOLE,), least=2, blind=[Span(140, 300)])
    assert (found.shortages, found.blind) == ((), (Span(140, 200),))
    assert found.verdict is Verdict.UNDETERMINED


# --- any order, and a second opinion ------------------------------------------------------------------


def _random_series(rng: random.Random) -> Series:
    at, given = rng.randint(60, 110), []
    while at < 220:
        value = None if rng.random() < 0.1 else Decimal(rng.randint(170, 230)) / 10
        given.append(Sample(at, value))
        at += rng.randint(1, 40)
    return Series("p", "temperature", -1, rng.choice((None, 10, 25)), tuple(given))


def _value_at(given: Series, tick: int) -> Decimal | None:
    before = [sample for sample in given.samples if sample.at <= tick]
    if not before or (given.hold_ticks is not None and tick >= before[-1].at + given.hold_ticks):
        return None
    return before[-1].value


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_environment_and_presence_are_what_looking_at_every_tick_finds(seed: int) -> None:
    rng = random.Random(seed)
    given = _random_series(rng)
    starts = [rng.randint(60, 210) for _ in range(4)]
    stays = [Stay(rng.choice(("ann", "bob", "eve")), at, rng.choice((None, at + 50))) for at in starts]
    blind = [Span(at, at + 10) for at in rng.choices(range(90, 210), k=rng.randint(0, 2))]
    held = rng.randint(90, 200)
    job = replace(JOB, holds=(Hold(held, held, (), held + rng.randint(0, 30), "ann", "x"),))
    found = stated(job, [given], stays=stays, blind=blind)
    (environment,) = found.environment
    gaps = [tick for tick in range(100, 200) if _value_at(given, tick) is None]
    assert [tick for span in environment.gaps for tick in range(*_ends(span))] == gaps
    values = {tick: value for tick in range(100, 200) if (value := _value_at(given, tick)) is not None}
    out = [tick for tick, value in values.items() if not LIMIT.admits(value)]
    assert [tick for one in environment.excursions for tick in range(*_ends(one.span))] == out
    if values:
        assert (environment.whole.least, environment.whole.most) == (
            min(values.values()),
            max(values.values()),
        )
    work = [tick for span in found.work for tick in range(*_ends(span))]
    dark = {tick for span in blind for tick in range(*_ends(span))}
    few = [tick for tick in work if tick not in dark and len(_there(stays, tick)) < 2]
    assert [tick for one in found.presence.shortages for tick in range(*_ends(one.span))] == few
    for one in found.presence.shortages:
        assert _there(stays, one.span.start) == set(one.people)
    expected = Verdict.MET
    if dark & set(work) or set(gaps) & set(work):
        expected = Verdict.UNDETERMINED
    if few or set(out) & set(work):
        expected = Verdict.NOT_MET
    assert found.verdict is expected


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _there(stays: Iterable[Stay], tick: int) -> set[str]:
    return {
        one.person
        for one in stays
        if one.person != "eve" and one.from_at <= tick and (one.to_at is None or tick < one.to_at)
    }


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_order_in_which_evidence_is_given_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    given, other = _random_series(rng), replace(_random_series(rng), point="q")
    stays = [Stay("ann", rng.randint(60, 210), None) for _ in range(3)] + [Stay("bob", 50)]
    first = stated(given=[given, other], stays=stays)
    mixed = [replace(one, samples=tuple(rng.sample(one.samples, len(one.samples)))) for one in (other, given)]
    rng.shuffle(stays)
    assert stated(given=mixed, stays=stays) == first


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: Span(*pair)), max_size=5)


@given(spans, spans)
def test_spans_are_what_their_ticks_are(some: list[Span], others: list[Span]) -> None:
    def ticks(given: Iterable[Span]) -> set[int]:
        return {tick for span in given for tick in range(span.start, span.end)}

    assert ticks(joined(some)) == ticks(some)
    assert ticks(within(some, others)) == ticks(some) & ticks(others)
    assert ticks(without(some, others)) == ticks(some) - ticks(others)
    assert total(some) == len(ticks(some))
    found = without(some, others)
    assert all(one.end < two.start for one, two in pairwise(found))


def test_of_several_values_at_one_instant_the_greatest_stands_also_beside_a_zero() -> None:
    for pair in (((100, 0), (100, "0.5")), ((100, "0.5"), (100, 0)), ((100, "0.5"), (100, None))):
        found = environment_of(series(*pair, hold=None), None, WHOLE, work=(WHOLE,))
        assert str(found.whole.mean) == "0.5000"
