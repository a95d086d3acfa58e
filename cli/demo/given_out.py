"""What the simulated devices wrote down themselves: every answer that they gave out. It judges nothing."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from simulators.scenario import load_scenario, profile_of

Answers = dict[str, list["Answer"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one device."""

    number: int
    """How many reads the device had counted with this one; 0 for a device that does not count."""
    at: float
    """UTC, seconds."""


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
                found[str(answer["unit"])].append(Answer(answer["reads"], answer["utc_ms"] / 1000))
    return found


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
