"""Finds sensors below /sys and reads their files. Every function may block: call them in a thread.

A sensor is known by the path of its hardware, its chip's name or its 1-wire id. `hwmon3` and `iio:device0`
are numbers of this boot; what is kept between two reads is the path below /sys/devices, and it is checked
each time that the same chip is still there.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.drivers.sysfs.decode import GONE, Said
from wire.settings.sysfs import SysfsSensor

TEXT_BYTES_MAX = 4096
"""A file of sysfs is a page at most."""
_FOLDERS = {
    "iio": ("bus/iio/devices", "iio:device*"),
    "hwmon": ("class/hwmon", "hwmon*"),
    "w1": ("bus/w1/devices", "[0-9a-f][0-9a-f]-*"),
}
KINDS = tuple(_FOLDERS)


class GoneError(Exception):
    """The sensor is not there, or cannot be told from another; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one sensor is now."""

    kind: str
    chip: str
    path: Path
    """Below the folder of devices, without links."""
    hardware: tuple[str, ...]
    """The parts of the path that do not change at boot."""

    def is_meant(self, sensor: SysfsSensor) -> bool:
        """Whether the settings mean this one."""
        if self.kind != sensor.kind or sensor.chip not in (None, self.chip):
            return False
        wanted = tuple(sensor.at.strip("/").split("/")) if sensor.at else ()
        length = len(wanted)
        return any(
            self.hardware[start : start + length] == wanted
            for start in range(len(self.hardware) - length + 1)
        )


def read_text(file: Path) -> Said:
    """Return what a file says, or the number of the error; never raises `OSError`."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(handle, TEXT_BYTES_MAX).decode("ascii", errors="replace")
        finally:
            os.close(handle)
    except OSError as error:
        return error.errno or errno.EIO


def places(root: Path, kind: str) -> Iterator[Place]:
    """Yield every sensor of a kind that is there now."""
    folder, pattern = _FOLDERS[kind]
    try:
        links = sorted((root / folder).glob(pattern))
    except OSError:  # a bus that went away while it was looked into has no sensors
        return
    for link in links:
        try:
            path = link.resolve()
        except OSError:  # it went away between the look at what it is and the look at where it leads
            continue
        chip = read_text(path / "name")
        if isinstance(chip, str):
            yield Place(kind, chip.strip(), path, _stable(root, path, kind))


def _stable(root: Path, path: Path, kind: str) -> tuple[str, ...]:
    base = root.resolve()
    parts = path.relative_to(base).parts if path.is_relative_to(base) else path.parts
    if kind == "w1":
        return parts
    numbered = ("hwmon", "iio:device")
    return tuple(
        part for part in parts if part != "hwmon" and not (part.startswith(numbered) and part[-1].isdigit())
    )


def find(root: Path, sensor: SysfsSensor) -> Place:
    """Return where a sensor is; `GoneError` when none or several are there."""
    found = [place for place in places(root, sensor.kind) if place.is_meant(sensor)]
    wanted = " at ".join(filter(None, (sensor.chip, sensor.at)))
    if not found:
        raise GoneError(f"no {sensor.kind} sensor {wanted}")
    if len(found) > 1:
        where = ", ".join("/".join(place.hardware[-2:]) for place in found[:4])
        raise GoneError(f"{len(found)} {sensor.kind} sensors {wanted} ({where}): expected one")
    return found[0]


def read_files(place: Place, names: Iterable[str]) -> Mapping[str, Said]:
    """Return what the files of a sensor say, without those that it does not have; `GoneError`."""
    chip = read_text(place.path / "name")
    if not isinstance(chip, str) or chip.strip() != place.chip:
        raise GoneError(f"{place.chip} is not at {place.path.name} any more")
    said: dict[str, Said] = {}
    for name in names:
        answer = read_text(place.path / name)
        if answer == errno.ENOENT:
            continue
        if answer in GONE:
            raise GoneError(f"{place.chip} went away while it was read")
        said[name] = answer
    if not place.path.is_dir():
        raise GoneError(f"{place.chip} went away while it was read")
    return said
