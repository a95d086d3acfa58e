"""Sensors are found while others come and go."""

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
