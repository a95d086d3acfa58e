"""A module `RPi.GPIO` for machines without pins, driven by `simulators.devices.gpio`.

A gateway uses it when this folder is on its module path and `HENG_SIM_GPIO` names the folder of a board:
`environment` gives both.
"""

import os
from pathlib import Path

MODULES = Path(__file__).parent
BOARD = "HENG_SIM_GPIO"


def environment(board: Path) -> dict[str, str]:
    """Return the environment variables with which a process finds the pins of this board."""
    paths = [str(MODULES), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), BOARD: str(board)}
