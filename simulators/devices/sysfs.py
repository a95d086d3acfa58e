"""A kernel's sensors: a folder that looks like /sys, with IIO, hwmon and 1-wire sensors and their faults.

A read that fails is a link to a file of /proc that gives EIO; a read that blocks is a pipe that nobody
writes. What a sensor's files say comes from `said`.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

Fault = Literal["", "error", "gone", "garbage", "silence", "slow", "moved", "wrong_scale", "power_on", "crc"]
FAILS = Path("/proc/self/mem")
"""Its first byte cannot be read: EIO."""
FOLLOW_S = 0.1
SLOW_S = 0.5
Truth = Callable[[], float]


@dataclass(slots=True)
class Sensor:
    """One sensor. `at` is where it is wired below the folder of devices; `fault` may be switched."""

    kind: Literal["iio", "hwmon", "w1"]
    chip: str
    at: str
    truths: Mapping[str, Truth]
    """File -> value in the quantity's unit; of a w1_slave in °C."""
    fault: Fault = ""
    number: int = 0
    moves: int = 0
    _shown: Fault = field(default="gone")

    def files(self) -> dict[str, str]:
        """Return what its files say now."""
        wrong = 0.001 if self.fault == "wrong_scale" else 1.0
        found = {"name": f"{self.chip}\n"}
        for name, truth in self.truths.items():
            found[name] = self._said(name, truth() * wrong)
        return found

    def _said(self, name: str, value: float) -> str:
        if self.fault == "garbage":
            return "\x00\xff nothing 12,5 °\n"
        if name == "w1_slave":
            return w1_slave(value, bad_crc=self.fault == "crc", power_on=self.fault == "power_on")
        return f"{round(value * unit_of(name))}\n"


def unit_of(name: str) -> int:
    """Return how many of a file's steps are one unit: a thousand for most."""
    if "pressure" in name:
        return 1  # given in the kernel's own unit
    return 1_000_000 if name.startswith("power") else 1 if name.startswith("fan") else 1000


def crc8(data: bytes) -> int:
    """Return the checksum of a scratchpad."""
    crc = 0
    for byte in data:
        for bit in range(8):
            mix = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8C if mix else 0)
    return crc


def w1_slave(celsius: float, *, bad_crc: bool = False, power_on: bool = False) -> str:
    """Return what the kernel's w1_slave of a DS18B20 says."""
    raw = 0x0550 if power_on else round(celsius * 16)
    low, high = (raw & 0xFFFF).to_bytes(2, "little")
    pad = bytes([low, high, 0x4B, 0x46, 0x7F, 0xFF, 0x0C if power_on else 0x10 - (low & 15), 0x10])
    crc = crc8(pad)
    pad += bytes([crc ^ 0x21 if bad_crc else crc])
    text = pad.hex(" ")
    return f"{text} : crc={crc:02x} {'NO' if bad_crc else 'YES'}\n{text} t={raw * 1000 // 16}\n"


class Tree:
    """The folder. Call `update` after a fault was switched or a truth changed."""

    def __init__(self, root: Path, sensors: Sequence[Sensor]) -> None:
        self.root = root
        self.sensors = sensors
        self._pipes: set[Path] = set()
        for folder in ("bus/iio/devices", "class/hwmon", "bus/w1/devices", "devices"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for index, sensor in enumerate(sensors):
            sensor.number = index

    def update(self) -> None:
        """Make the folder say what is true now."""
        for sensor in self.sensors:
            if sensor.fault != sensor._shown:
                self._switch(sensor)
            if sensor.fault != "gone":
                self._write(sensor)

    def _switch(self, sensor: Sensor) -> None:
        self._take_away(sensor)
        if sensor.fault in ("moved", "gone"):
            sensor.moves += 1
            sensor.number += len(self.sensors)
        sensor._shown = sensor.fault
        if sensor.fault != "gone":
            folder = self.folder(sensor)
            folder.mkdir(parents=True)
            self._link(sensor).symlink_to(os.path.relpath(folder, self._link(sensor).parent))

    def folder(self, sensor: Sensor) -> Path:
        """Return where the sensor's files are."""
        base = self.root / "devices" / sensor.at
        if sensor.kind == "iio":
            return base / f"iio:device{sensor.number}"
        return base / "hwmon" / f"hwmon{sensor.number}" if sensor.kind == "hwmon" else base

    def _link(self, sensor: Sensor) -> Path:
        folder = {"iio": "bus/iio/devices", "hwmon": "class/hwmon", "w1": "bus/w1/devices"}[sensor.kind]
        return self.root / folder / self.folder(sensor).name

    def _take_away(self, sensor: Sensor) -> None:
        folder = self.folder(sensor)
        pipes = {pipe for pipe in self._pipes if pipe.parent == folder}
        self._link(sensor).unlink(missing_ok=True)
        release(pipes)
        shutil.rmtree(folder, ignore_errors=True)
        self._pipes -= pipes

    def _write(self, sensor: Sensor) -> None:
        folder = self.folder(sensor)
        for name, text in sensor.files().items():
            file = folder / name
            if name == "name" or sensor.fault not in ("error", "silence", "slow"):
                new = folder / ".new"
                new.write_text(text, encoding="utf-8")
                new.replace(file)
            elif not file.is_symlink() and not file.exists():
                if sensor.fault == "error":
                    file.symlink_to(FAILS)
                else:
                    os.mkfifo(file)
                    self._pipes.add(file)
            elif sensor.fault == "slow":
                answer(file, text)

    def switch(self, fault: str, sensor: int | None) -> None:
        """Switch a fault of one sensor, from 1 on, or of all; `ValueError` for one that there is not."""
        wanted = msgspec.convert(fault, Fault)
        if sensor is not None and not 1 <= sensor <= len(self.sensors):
            raise ValueError(f"sensor {sensor}: expected 1 to {len(self.sensors)}")
        for one in self.sensors if sensor is None else [self.sensors[sensor - 1]]:
            one.fault = wanted
        self.update()

    def close(self) -> None:
        """Let everyone go who reads a pipe."""
        release(self._pipes)
        self._pipes.clear()


def answer(pipe: Path, text: str) -> None:
    """Give a reader that waits at the pipe its text; nothing happens when none waits."""
    with suppress(OSError):
        handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def release(pipes: Collection[Path]) -> None:
    """End the reads of whoever waits at the pipes, and remove them: the next read finds nothing."""
    handles = [os.open(pipe, os.O_RDWR | os.O_NONBLOCK) for pipe in pipes]
    for pipe in pipes:
        pipe.unlink()
    for handle in handles:
        os.close(handle)


@asynccontextmanager
async def sysfs_tree(root: Path, sensors: Sequence[Sensor]) -> AsyncIterator[Tree]:
    """Keep a folder in step with the truth while the context is open."""
    tree = Tree(root, sensors)
    tree.update()

    async def follow() -> None:
        while True:
            slow = any(sensor.fault == "slow" for sensor in sensors)
            await asyncio.sleep(SLOW_S if slow else FOLLOW_S)
            tree.update()

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        try:
            yield tree
        finally:
            following.cancel()
            tree.close()


def board(temperature: Truth, humidity: Truth) -> tuple[list[Sensor], list[dict[str, object]]]:
    """Return the sensors of a usual board in a room, and the `[[device.sensor]]` tables that read them.

    They are a climate sensor on I2C, a thermometer on the 1-wire bus and the processor's own.
    """
    wire = "28-0000055f3a1b"
    sensors = [
        Sensor(
            "iio",
            "bme280",
            "platform/soc/i2c-1/1-0076",
            {"in_temp_input": temperature, "in_humidityrelative_input": humidity},
        ),
        Sensor("w1", wire, f"w1_bus_master1/{wire}", {"w1_slave": temperature}),
        Sensor("hwmon", "cpu_thermal", "virtual/thermal/thermal_zone0", {"temp1_input": lambda: 48.3}),
    ]
    climate = [
        {"channel": "in_temp", "point": "temperature"},
        {"channel": "in_humidityrelative", "point": "relative_humidity"},
    ]
    tables: list[dict[str, object]] = [
        {"kind": "iio", "chip": "bme280", "at": "i2c-1/1-0076", "model": "bme280", "value": climate},
        {"kind": "w1", "at": wire, "model": "ds18b20", "value": [{"channel": "w1_slave", "point": "wire"}]},
        {"kind": "hwmon", "chip": "cpu_thermal", "value": [{"channel": "temp1", "point": "processor"}]},
    ]
    return sensors, tables
