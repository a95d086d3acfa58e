"""What is known of the simulated devices is counted and found as the check needs it."""

import json
from pathlib import Path

from cli.demo.given_out import Answer, ignitions, polls, read, units
from simulators.scenario import load_scenario
from simulators.sources import drive_of


def test_questions_of_one_poll_are_counted_apart(tmp_path: Path) -> None:
    line = {"unit": "lab-1/plant/1", "reads": 0, "start": 0, "registers": [], "utc_ms": 5000}
    text = "".join(json.dumps({**line, "function": function}) + "\n" for function in (1, 3, 1, 3, 1))
    (tmp_path / "lab-1-plant.jsonl").write_text(text + '{"unit": "cut')
    answers = read(tmp_path)["lab-1/plant/1"]
    assert answers[0] == Answer(0, 5.0, (1, 0))
    assert sorted(polls(answers)) == [2, 3]


def test_every_line_of_the_demo_is_accounted_for() -> None:
    names = {unit.name for unit in units("demo")}
    assert {"lab-1/room-1/1", "lab-1/plant/1", "lab-1/plant/3", "mobile-1/cabin/2"} <= names


def test_ignition_of_the_demo_is_that_of_the_drive() -> None:
    (ignition,) = ignitions("demo")
    assert (ignition.gateway, ignition.point) == ("vehicle-1", "vehicle/ignition")
    drive = drive_of(1, "vehicle-1/gnss", load_scenario("demo").gateway[2].gnss[0])
    parked = drive.driving_s + 10
    assert not ignition.driving(parked)
    assert ignition.driving(parked - 60)
