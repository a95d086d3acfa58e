"""Where a running demo is found: a file in its folder that names its ports and the processes of its parts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FILE = "running.json"


class NotRunningError(Exception):
    """No demo runs in this folder; the text says which."""


@dataclass(frozen=True, slots=True)
class Found:
    """A demo that runs."""

    folder: Path
    port: int
    """Of the pages."""
    parts: Mapping[str, int]
    """Part -> its process."""

    @property
    def control(self) -> int:
        """The port on which simulated devices are told what to do."""
        text = (self.folder / "simulators" / "ports.json").read_text(encoding="utf-8")
        port: int = json.loads(text)["control"]
        return port


def tell(folder: Path, port: int, parts: Mapping[str, int | None]) -> None:
    """Write down what runs, in one step."""
    new = folder / f".{FILE}"
    known = {name: pid for name, pid in parts.items() if pid is not None}
    new.write_text(json.dumps({"port": port, "parts": known}) + "\n", encoding="utf-8")
    new.replace(folder / FILE)


def forget(folder: Path) -> None:
    """Say that nothing runs any more."""
    (folder / FILE).unlink(missing_ok=True)


def find(folder: Path) -> Found:
    """Return the demo that runs with this folder; `NotRunningError`."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Found(folder, int(told["port"]), {name: int(pid) for name, pid in told["parts"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotRunningError(f"no demo runs with {folder}; start one with `heng demo`") from error
