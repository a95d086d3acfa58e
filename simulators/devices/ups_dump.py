"""A recorded dump of a real UPS, served as it is; the faults that make sense on it are laid over it.

A dump is what NUT calls a `.dev` file: lines `variable: value`, and notes behind `#`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from simulators.devices.recording import RecordingError, read_recorded_file
from simulators.devices.ups import Fault

_WHAT = "a dump with lines `variable: value`"
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):(?:\s+(.*))?")
_NOTE = re.compile(r"(?:^|\s)#.*")
_POWER_WORDS = frozenset({"OL", "OB", "LB", "HB", "CHRG", "DISCHRG", "BYPASS", "TRIM", "BOOST"})


@dataclass(slots=True)
class RecordedUps:
    """A UPS that says what a real one once said; nothing drains, what a fault does not touch stays.

    `fault` may be switched at any time, to what `check` accepts.
    """

    recorded: dict[str, str]
    name: str = "ups"
    fault: Fault = ""

    @property
    def on_battery(self) -> bool:
        """Whether the mains are gone."""
        return self.fault in ("battery", "low", "reenumerated") or "OB" in self._words

    @property
    def _words(self) -> list[str]:
        return self.recorded.get("ups.status", "").upper().split()

    def check(self, fault: Fault) -> None:
        """`ValueError` for a fault that takes the mains from a UPS that was not recorded on mains."""
        if fault in ("battery", "low", "conflict", "reenumerated") and (
            "OL" not in self._words or "OB" in self._words
        ):
            status = self.recorded.get("ups.status", "")
            raise ValueError(f"fault {fault}: the recorded ups.status is {status!r}; expected OL without OB")

    def variables(self) -> dict[str, str]:
        """Return what the UPS says now, as NUT variables."""
        lost = {
            "battery": "OB DISCHRG",
            "reenumerated": "OB DISCHRG",
            "low": "OB DISCHRG LB",
            "conflict": "OL DISCHRG OB",
        }.get(self.fault)
        if lost is None:
            return self.recorded
        others = [word for word in self._words if word not in _POWER_WORDS]
        changed = {"ups.status": " ".join([*others, lost])}
        if self.fault != "conflict":
            changed["input.voltage"] = "0.0"
        if self.fault == "low":
            changed["battery.charge"] = "9"
        return {name: changed.get(name, value) for name, value in self.recorded.items()}


def read_dump(path: Path) -> dict[str, str]:
    """Return the variables of a dump, without its notes; `RecordingError`."""
    data = read_recorded_file(path, _WHAT)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise RecordingError(f"{path} is no UTF-8 text; expected {_WHAT}") from None
    variables: dict[str, str] = {}
    for number, text in enumerate(lines, 1):
        line = _NOTE.sub("", text).strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise RecordingError(f"{path} line {number} is {line[:60]!r}; expected {_WHAT}")
        variables[found[1]] = found[2] or ""
    if "ups.status" not in variables:
        raise RecordingError(f"{path} holds no ups.status; expected {_WHAT}, that one among them")
    return variables
