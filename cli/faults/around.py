"""Every other kind of device around the gateways of a campaign: those of the demo's sites, one site each.

They are there so that nothing that a fault does is done to Modbus alone. Those that number their answers are
accounted for like the campaign's own; it starts no gateway.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.demo import files, given_out
from cli.demo.service import Service
from cli.embedded import processes
from cli.embedded.processes import ProcessError
from cli.faults.load import INTERVAL_MS, TIMEOUT_MS
from simulators.devices.modbus import models

SCENARIO = "demo"
NUMBERED = "sim-environment"
"""The model that numbers its answers."""
_READY_S = 60.0
_SETTINGS: Mapping[str, Mapping[str, int]] = {
    "modbus": {"interval_ms": INTERVAL_MS, "timeout_ms": TIMEOUT_MS},
    "camera": {"recording_bytes_max": 10_000_000, "pictures_bytes_max": 2_000_000},
}
"""What is set otherwise than in the demo, by driver: as quick as the campaign's own, and for a small disk."""


@dataclass(slots=True)
class Answers:
    """What one numbered device wrote down; the file grows while the device answers."""

    log: Path
    name: str
    _read: int = 0
    _given: dict[int, float] = field(default_factory=dict)
    _values: dict[int, Sequence[object]] = field(default_factory=dict)

    def given_out(self) -> Mapping[int, float]:
        """Return number -> when it left (UTC, seconds)."""
        self._read_on()
        return dict(self._given)

    def values(self) -> Mapping[int, Sequence[object]]:
        """Return number -> the registers of each point."""
        self._read_on()
        return self._values

    def _read_on(self) -> None:
        with self.log.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            answer = json.loads(line)
            if answer["unit"] == self.name:
                self._given.setdefault(answer["reads"], answer["utc_ms"] / 1000)
                self._values.setdefault(answer["reads"], _by_point(answer["registers"]))


@dataclass(frozen=True, slots=True)
class Numbered:
    """A device that numbers its answers, at the gateway that it stands at in the campaign."""

    prefix: str
    numbering: str
    """The whole name of the point that numbers them."""
    points: int
    answers: Answers


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around one gateway."""

    offered: Mapping[str, Any]
    numbered: Sequence[Numbered]

    @property
    def environment(self) -> Mapping[str, str]:
        """What the gateway's process needs."""
        found: Mapping[str, str] = self.offered["environment"]
        return found

    def settings(self) -> str:
        """Return the `[[device]]` tables."""
        return files.device_tables(
            [{**device, **_SETTINGS.get(device["driver"], {})} for device in self.offered["device"]]
        )

    def place_keys(self, data: Path) -> None:
        """Put the keys of the devices where the gateway looks for them."""
        for device, keys in self.offered["keys"].items():
            files.place_keys(Path(keys), data / device)


@asynccontextmanager
async def open_around(
    gateways: Sequence[str], *, seed: int, folder: Path
) -> AsyncIterator[dict[str, Around]]:
    """Run the demo's devices while the context is open; gives what is around each gateway. `ProcessError`."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    ports = folder / "ports.json"
    words: list[str | Path] = ["simulate", "--scenario", SCENARIO, "--seed", str(seed)]
    words += ["--ports-file", ports, "--folder", folder, "--log-readings"]
    service = Service("simulators", words, log=folder / "simulators.log")
    try:
        await service.start()

        async def announced() -> bool:
            return ports.exists() or service.pid is None

        await processes.until(announced, timeout_s=_READY_S)
        if not ports.exists():
            raise ProcessError(
                f"the simulated devices are not ready after {_READY_S:.0f} s\n{service.log_tail()}"
            )
        sites = json.loads(ports.read_text(encoding="utf-8"))["gateways"]
        numbered = _numbered(folder)
        yield {
            gateway: Around(offered, numbered[site])
            for gateway, (site, offered) in zip(gateways, sites.items(), strict=True)
        }
    finally:
        await service.stop()


def _numbered(folder: Path) -> Mapping[str, list[Numbered]]:
    found: dict[str, list[Numbered]] = defaultdict(list)
    for unit in given_out.units(SCENARIO):
        if unit.numbering:
            site, line, _ = unit.name.split("/")
            found[unit.gateway].append(
                Numbered(
                    prefix=unit.prefix,
                    numbering=f"{unit.prefix}/{unit.numbering}",
                    points=len(models()[NUMBERED]),
                    answers=Answers(folder / f"{site}-{line}.jsonl", unit.name),
                )
            )
    return found


def _by_point(registers: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(registers[value.register : value.register + value.size]) for value in models()[NUMBERED]]
