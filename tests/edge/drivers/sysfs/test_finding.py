"""Sensors are found while others come and go."""

import os
from collections.abc import Generator
from pathlib import Path, PosixPath

import pytest

from edge.drivers.sysfs.finding import KINDS, places


class Vanishing(PosixPath):
    """A folder that goes away between the question whether it is there and the look into it."""

    def glob(self, pattern: str) -> Generator[Path, None, None]:  # type: ignore[override]
        """As `Path.glob` does then."""
        raise FileNotFoundError(2, "No such file or directory", pattern)


@pytest.mark.parametrize("kind", KINDS)
def test_folder_that_vanishes_while_it_is_looked_into_has_no_sensor(kind: str, tmp_path: Path) -> None:
    assert list(places(Vanishing(tmp_path), kind)) == []


def test_link_that_vanishes_while_it_is_followed_is_no_sensor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Path.resolve` looks what a link is, and then where it leads: in between it can go."""
    place = tmp_path / "devices" / "chip" / "hwmon" / "hwmon3"
    place.mkdir(parents=True)
    (place / "name").write_text("chip\n")
    bus = tmp_path / "class" / "hwmon"
    bus.mkdir(parents=True)
    (bus / "hwmon3").symlink_to(place)
    (found,) = places(tmp_path, "hwmon")
    assert found.chip == "chip"
    follow = os.readlink

    def vanish(path: str) -> str:
        (bus / "hwmon3").unlink()
        return follow(path)

    monkeypatch.setattr(os, "readlink", vanish)
    assert list(places(tmp_path, "hwmon")) == []
