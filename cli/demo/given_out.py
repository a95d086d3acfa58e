"""What is true of the simulated devices: every answer that they wrote down, and when a vehicle drives.

It judges nothing.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simulators.drives import Drive
from simulators.scenario import load_scenario, profile_of
from simulators.sources import drive_of

SEED = 1
"""Of the demo's truth: what `heng simulate` takes when none is asked for."""
Answers = dict[str, list["Answer"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one device."""

    number: int
    """How many reads the device had counted with this one; 0 for a device that does not count."""
    at: float
    """UTC, seconds."""
    place: tuple[int, int] = (0, 0)
    """Function and first register: a poll of some devices takes several questions."""


@dataclass(frozen=True, slots=True)
class Ignition:
    """A simulated ignition: where its readings are, and when it is on."""

    gateway: str
    point: str
    driving: Callable[[float], bool]
    """UTC seconds -> whether the vehicle drives."""


@dataclass(frozen=True, slots=True)
class UnitName:
    """A simulated Modbus device, as the gateway names its points."""

    name: str
    """As in the log."""
    gateway: str
    prefix: str
    numbering: str
    """Last part of the name of the point that numbers its answers; empty when it has none."""


def read(folder: Path) -> Answers:
    """Return the answers of all devices by name, in order; only whole lines count."""
    found: Answers = defaultdict(list)
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                answer = json.loads(line)
                place = (answer.get("function", 0), answer["start"])
                found[str(answer["unit"])].append(Answer(answer["reads"], answer["utc_ms"] / 1000, place))
    return found


def polls(answers: Iterable[Answer]) -> list[int]:
    """Return how often each question of a device was answered; they are asked once in each poll."""
    return list(Counter(one.place for one in answers).values())


def ignitions(scenario: str) -> list[Ignition]:
    """Return every ignition of a scenario that follows a drive."""
    return [
        Ignition(
            gateway.id,
            f"{board.prefix or board.name}/ignition",
            partial(_drives, drive_of(SEED, f"{gateway.id}/{receiver.name}", receiver)),
        )
        for gateway in load_scenario(scenario).gateway
        for board in gateway.gpio
        for receiver in gateway.gnss
        if receiver.name == board.ignition and not receiver.log
    ]


def _drives(drive: Drive, at: float) -> bool:
    return not drive.at(at).parked


def units(scenario: str) -> list[UnitName]:
    """Return every Modbus device of a scenario."""
    return [
        UnitName(
            name=f"{gateway.id}/{line.name}/{unit.address}",
            gateway=gateway.id,
            prefix=unit.prefix,
            numbering=_numbering(unit.model),
        )
        for gateway in load_scenario(scenario).gateway
        for line in gateway.modbus
        for unit in line.units
    ]


def _numbering(model: str) -> str:
    if not model.startswith("sim-"):
        return ""
    values = profile_of(model)["value"]
    assert isinstance(values, list)
    return next((value["point"] for value in values if value["kind"] == "counter"), "")
