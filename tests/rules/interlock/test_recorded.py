"""No spurious trip: weeks of healthy recorded data by a radio that loses one message in twenty.

`make test` plays a day of each recording; HENG_RECORDED_DAYS says how many instead (`make healthy`: 30), and
HENG_RECORDINGS names a folder with recordings that may be used and not shipped.
"""

import csv
import gzip
import io
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from rules.interlock.inputs import Reading
from rules.interlock.model import Alive, Cause, Group, Interlock, Limit, Plant, Sensor
from rules.interlock.plan import Plan, make_plan
from rules.interlock.rehearse import Observation, Rehearsal, rehearse
from tests.rules.interlock.world import CERTIFICATE, HOLD, UTC

DATA = Path(__file__).parents[2] / "data" / "environment"
ELSEWHERE = os.environ.get("HENG_RECORDINGS", "")
DAYS = float(os.environ.get("HENG_RECORDED_DAYS", "1"))
LOST = 0.05
PERIOD_S = 10
DAY_S = 86_400
Row = tuple[float, Decimal]

pytestmark = [pytest.mark.timeout(240 + 30 * DAYS), pytest.mark.requirement("H-7.3.1b", "G-6.11d")]


def rows_of(name: str, column: str) -> list[Row]:
    text = gzip.decompress((DATA / name).read_bytes()).decode()
    return [(float(row["s"]), Decimal(row[column])) for row in csv.DictReader(io.StringIO(text))]


def between(rows: Sequence[Row], from_s: float, to_s: float) -> list[Row]:
    return [row for row in rows if from_s <= row[0] < to_s]


def messages(rows: Sequence[Row]) -> Iterator[Row]:
    """Every ten seconds, on the straight line between what was recorded."""
    due = rows[0][0]
    for (start, low), (end, high) in pairwise(rows):
        while start <= due < end:
            share = Decimal((due - start) / (end - start)).quantize(Decimal("0.0001"))
            yield due, low + (high - low) * share
            due += PERIOD_S


def by_radio(point: str, sent: Sequence[Row], *, seed: int) -> list[Observation]:
    """What is heard of it; times from the first message on, counts in hundredths."""
    chance = Random(seed)
    found = []
    for at_s, value in sent:
        if chance.random() >= LOST:
            tick = UTC + round((at_s - sent[0][0]) * 100)
            found.append(Observation(tick, Reading(point, tick, round(value * 100))))
    return found


def rule(*causes: Cause, period_s: float = PERIOD_S) -> Plan:
    sensor = Sensor(point="temperature", exponent=-2, period_s=period_s, calibration=CERTIFICATE)
    plain = [Sensor(point=name, exponent=-2, period_s=period_s) for name in ("humidity", "machine")]
    plant = Plant(sensors={one.point: one for one in (sensor, *plain)})
    group = Group(name="climate", causes=causes)
    return make_plan(Interlock(name="recorded", groups=(group,), effects=(HOLD,)), plant)


def played(plan: Plan, history: Sequence[Observation]) -> Rehearsal:
    """Rehearse a history from its first message to its last."""
    return rehearse(plan, history, from_tick=UTC, to_tick=max(one.tick for one in history))


def machine(*, stale_periods: int) -> Plan:
    limit = Limit(point="machine", low=Decimal(45), high=Decimal(115), deadband=Decimal(1), guarded=False)
    cause = Cause(
        name="machine", condition=limit, on_delay_s=30, off_delay_s=60, stale_after_s=stale_periods * PERIOD_S
    )
    return rule(cause)


def healthy_machine() -> list[Row]:
    """The longest stretch between the failures that its owners marked: 40 days."""
    marks = list(csv.DictReader((DATA / "machine_windows.csv").read_text().splitlines()))
    pairs = pairwise(marks)
    start, end = max(
        ((float(one["to_s"]), float(other["from_s"])) for one, other in pairs),
        key=lambda pair: pair[1] - pair[0],
    )
    return between(rows_of("machine.csv.gz", "value"), start + 300, min(end, start + DAYS * DAY_S))


def test_healthy_machine_is_never_tripped_while_one_message_in_twenty_is_lost() -> None:
    sent = list(messages(healthy_machine()))
    assert len(sent) > DAYS * 8500
    told = played(machine(stale_periods=8), by_radio("machine", sent, seed=1))
    assert told.trips == ()
    assert told.judged_from is not None
    assert told.judged_from < UTC + 100 * 200


def test_same_rule_trips_in_the_failure_that_its_owners_marked() -> None:
    sent = list(messages(between(rows_of("machine.csv.gz", "value"), 5_766_000, 5_805_000)))
    told = played(machine(stale_periods=8), by_radio("machine", sent, seed=2))
    assert told.trips
    assert all(one.first_out == ("machine",) for one in told.trips)


def test_three_periods_would_be_a_trip_a_day() -> None:
    """So the way of the data is played as it is: without room for lost messages it does trip."""
    sent = list(messages(healthy_machine()))
    told = played(machine(stale_periods=3), by_radio("machine", sent, seed=1))
    assert 0 < len(told.trips) < 4 * DAYS + 3


def room(*, stale_after_s: float = 80.0, period_s: float = PERIOD_S) -> Plan:
    warm = Limit(point="temperature", low=Decimal(15), high=Decimal(28), deadband=Decimal("0.5"))
    damp = Limit(point="humidity", low=Decimal(10), high=Decimal(65), deadband=Decimal(2), guarded=False)
    causes = [
        Cause(name=name, condition=condition, on_delay_s=30, off_delay_s=60, stale_after_s=stale_after_s)
        for name, condition in (("warm", warm), ("damp", damp), ("alive", Alive(point="temperature")))
    ]
    return rule(*causes, period_s=period_s)


def test_healthy_room_is_never_tripped_while_one_message_in_twenty_is_lost() -> None:
    """Two stretches of an office with people and their air conditioner, 7.5 days with one gap."""
    for from_s, to_s in ((0, 160_000), (184_000, 680_000)):
        to_s = min(to_s, from_s + DAYS * DAY_S)
        history = []
        for seed, (point, column) in enumerate(
            (("temperature", "temperature"), ("humidity", "relative_humidity"))
        ):
            rows = between(rows_of("office.csv.gz", column), from_s, to_s)
            history += by_radio(point, list(messages(rows)), seed=seed)
        told = played(room(), history)
        assert told.trips == ()
        assert told.judged_from is not None


@pytest.mark.skipif(not ELSEWHERE, reason="HENG_RECORDINGS names no folder")
def test_rooms_that_may_not_be_shipped_are_never_tripped_either() -> None:
    """Sensors that send every four seconds, each message as it was recorded; they paused for 48 s at most."""
    files = sorted((Path(ELSEWHERE) / "environment" / "room_climate").glob("*.csv"))
    assert files, f"{ELSEWHERE}: expected environment/room_climate/*.csv"
    for file in files:
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.reader(opened))
        for node in sorted({row[3] for row in rows}):
            mine = [row for row in rows if row[3] == node]
            history = []
            for seed, (point, column) in enumerate((("temperature", 4), ("humidity", 5))):
                sent = [(float(row[1]) / 1000, Decimal(row[column])) for row in mine]
                history += by_radio(point, sent, seed=seed)
            told = played(room(stale_after_s=60, period_s=4), history)
            assert told.trips == (), (file.name, node)
