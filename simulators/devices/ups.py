"""A UPS behind a real NUT: dummy-ups reads a dump, upsd serves it, both private to this process.

The control writes the dump anew (the driver reads it again when it changes), stops the driver (its data
become stale) or ends it (the driver is not connected). It decides nothing about power; scenarios do.
"""

import asyncio
import os
import pwd
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from simulators.processes import daemon, find_program, free_port, stop, wait_for_port

NUT_FOLDERS = ("/lib/nut", "/usr/lib/nut", "/usr/libexec/nut", "/usr/lib/ups/driver", "/sbin")
Fault = Literal["", "battery", "low", "conflict", "stale", "driver_lost", "reenumerated"]
"""`reenumerated`: the mains go and the UPS leaves its USB in the same moment, and is back on battery."""
RUNTIME_FULL_S = 2400
EMPTY_AFTER_S = 900
FOLLOW_S = 0.5
REENUMERATES_S = 3.0
EMPTY = '""'


class Source(Protocol):
    """What a served UPS is made of: `Ups` here, or a recorded one."""

    name: str
    fault: Fault

    def variables(self) -> dict[str, str]:
        """Return what the UPS says now, as NUT variables."""


@dataclass(slots=True)
class Ups:
    """The truth about one UPS. `fault` may be switched at any time; the battery drains while it carries."""

    name: str = "ups"
    model: str = "Simulated 1500"
    fault: Fault = ""
    now_s: Callable[[], float] = field(default=lambda: 0.0)
    voltage: Callable[[], float] = field(default=lambda: 230.0)
    _changed_s: float = 0.0
    _charge: float = 100.0
    _fault_before: Fault = ""

    @property
    def on_battery(self) -> bool:
        """Whether the mains are gone."""
        return self.fault in ("battery", "low", "reenumerated")

    def variables(self) -> dict[str, str]:
        """Return what the UPS says now, as NUT variables."""
        now_s = self.now_s()
        passed_s, self._changed_s = max(0.0, now_s - self._changed_s), now_s
        rate = -100 / EMPTY_AFTER_S if self.on_battery else 100 / (4 * EMPTY_AFTER_S)
        self._charge = min(100.0, max(2.0, self._charge + rate * passed_s)) if self._changed_s else 100.0
        if self.fault == "low" and self._fault_before != "low":
            self._charge = min(self._charge, 9.0)
        self._fault_before = self.fault
        return self._said(int(self._charge))

    def _said(self, charge: int) -> dict[str, str]:
        battery = self.on_battery
        return {
            "battery.charge": str(charge),
            "battery.charge.low": "20",
            "battery.runtime": str(RUNTIME_FULL_S * charge // 100),
            "battery.type": "PbAc",
            "battery.voltage": f"{24.0 + 3.4 * charge / 100 - 0.9 * battery:.2f}",
            "device.mfr": "Heng simulators",
            "device.model": self.model,
            "device.type": "ups",
            "input.voltage": "0.0" if battery else f"{self.voltage():.1f}",
            "output.voltage": f"{230.0 if battery else self.voltage():.1f}",
            "ups.load": "23",
            "ups.status": self._status(charge),
            "ups.temperature": "27.4",
        }

    def _status(self, charge: int) -> str:
        if self.fault == "conflict":
            return "OL DISCHRG OB"
        if self.on_battery:
            return "OB DISCHRG LB" if charge < 20 else "OB DISCHRG"
        return "OL CHRG LB" if charge < 20 else "OL CHRG" if charge < 100 else "OL"


def dump(variables: dict[str, str]) -> str:
    """Return variables as a `.dev` file of dummy-ups.

    Nothing is written as an empty word: after a bare colon dummy-ups repeats the value of the line before.
    """
    return "".join(f"{name}: {value or EMPTY}\n" for name, value in variables.items())


class UpsControl:
    """Keeps the dump and the driver process in step with the truth."""

    def __init__(self, ups: Source, folder: Path, command: list[str], *, environment: dict[str, str]) -> None:
        self.ups = ups
        self._folder = folder
        self._command = command
        self._environment = environment
        self._away: Fault = ""
        """The fault for which the driver was away already."""

    def write(self) -> None:
        """Write the dump in one step, so that the driver never reads half of it."""
        new = self._folder / "new.dev"
        new.write_text(dump(self.ups.variables()), encoding="utf-8")
        new.replace(self._folder / "ups.dev")

    async def run(self) -> None:
        """Follow `ups.fault` until cancelled."""
        while True:
            if self.ups.fault == "driver_lost":
                await asyncio.sleep(FOLLOW_S)
                continue
            if self._leaves():
                self._away = self.ups.fault
                self.write()
                await asyncio.sleep(REENUMERATES_S)
            async with daemon(
                self._command, log=self._folder / "driver.log", environment=self._environment
            ) as process:
                await self._follow(process)

    def _leaves(self) -> bool:
        return self.ups.fault == "reenumerated" != self._away

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        stopped = False
        while process.returncode is None:
            if self.ups.fault == "driver_lost" or self._leaves():
                await stop(process)
                return
            self._away = self.ups.fault
            if (self.ups.fault == "stale") != stopped:
                stopped = not stopped
                process.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)
            self.write()
            await asyncio.sleep(FOLLOW_S)


@asynccontextmanager
async def nut_server(ups: Source, *, folder: Path, port: int = 0) -> AsyncIterator[int]:
    """Run dummy-ups and upsd on 127.0.0.1 for one UPS; gives upsd's port. `DaemonError`."""
    port = port or free_port()
    _configure(ups, folder, port)
    user = pwd.getpwuid(os.geteuid()).pw_name
    environment = {key: str(folder) for key in ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH")}
    driver = [find_program("dummy-ups", *NUT_FOLDERS), "-F", "-u", user, "-a", ups.name]
    server = [find_program("upsd", *NUT_FOLDERS), "-F", "-4", "-u", user]
    control = UpsControl(ups, folder, driver, environment=environment)
    control.write()
    log = folder / "upsd.log"
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(control.run())
        try:
            await _wait_for_socket(folder, ups.name)
            async with daemon(server, log=log, environment=environment) as process:
                await wait_for_port(process, port, log=log)
                await _wait_for_data(port, ups.name)
                yield port
        finally:
            following.cancel()


def _configure(ups: Source, folder: Path, port: int) -> None:
    files = {
        "ups.conf": (
            "maxretry = 1\npollinterval = 1\n"
            f"[{ups.name}]\ndriver = dummy-ups\nport = {folder / 'ups.dev'}\nmode = dummy-once\n"
        ),
        "upsd.conf": f"LISTEN 127.0.0.1 {port}\nMAXAGE 3\n",
        "upsd.users": "",
    }
    for name, text in files.items():
        file = folder / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)


async def _wait_for_socket(folder: Path, name: str) -> None:
    """Return once the driver listens, or after 3 s: upsd tries again by itself."""
    for _ in range(60):
        if (folder / f"dummy-ups-{name}").exists():
            return
        await asyncio.sleep(0.05)


async def _wait_for_data(port: int, name: str) -> None:
    """Return once upsd has heard from the driver, or after 5 s: until then it says WAIT."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(100):
            writer.write(f"GET VAR {name} ups.status\n".encode("ascii"))
            answer = await reader.readline()
            if answer.startswith(b"VAR ") and b"WAIT" not in answer:
                return
            await asyncio.sleep(0.05)
    finally:
        writer.close()
