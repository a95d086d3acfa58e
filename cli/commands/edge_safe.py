"""`heng edge safe`: leaves every output that has a safe state in it, when no gateway runs any more.

The service manager runs it after each end of the gateway, whatever it ended of (`ExecStopPost=`). It is a
second line: what has to be safe within a second is held by hardware behind the enable output.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cli.commands.edge_ask import refuse
from cli.commands.edge_ear import Ear, printed
from edge.assembly import AssemblyError, build_drivers
from edge.control.outputs import OutputDriver, OutputError, Outputs
from edge.driver import DeviceUnavailable, Driver, Given
from edge.journal.errors import JournalFullError, JournalInUseError
from edge.journal.lock import FolderLock
from edge.world import real_world
from wire.settings.gateway import GatewaySettings

HEARD_S = 5.0
"""So long may a device take until it is heard; then it is written anyway."""
WHOLE_S = 20.0
"""So long may all of it take."""
BY = "heng edge safe"


def make_safe(settings: GatewaySettings, data: Path) -> int:
    """Write every safe state and read it back. 0: all are confirmed; 1: some are not, or a gateway runs."""
    try:
        lock = FolderLock.take(data)
    except JournalInUseError as error:
        return refuse("safe", f"{error}: a gateway runs and holds its outputs itself", 1)
    except JournalFullError:
        lock = None  # a disk that takes nothing must not keep an output from its safe state
    try:
        drivers = build_drivers(settings, Given(real_world().monotonic_ns, data))
        missing = asyncio.run(_make_all_safe(drivers))
    except AssemblyError as error:
        return refuse("safe", "; ".join(map(str, error.faults)), 2)
    finally:
        if lock is not None:
            lock.release()
    for line in missing:
        print(f"heng edge safe: {line}", file=sys.stderr)
    return 1 if missing else 0


async def _make_all_safe(drivers: Sequence[Driver]) -> Sequence[str]:
    """Return what was not made safe, and why."""
    outputs = Outputs(drivers, tell=printed, now=time.monotonic)
    owners = {
        driver.name: (driver, [output.name for output in driver.outputs if output.safe is not None])
        for driver in drivers
        if isinstance(driver, OutputDriver)
    }
    missing: dict[str, str] = {name: "not tried" for _, names in owners.values() for name in names}
    with suppress(TimeoutError):
        async with asyncio.timeout(WHOLE_S), asyncio.TaskGroup() as tasks:
            for driver, names in owners.values():
                if names:
                    tasks.create_task(_of_driver(driver, outputs, names, missing=missing))
    return [f"{name}: {reason}" for name, reason in missing.items()]


async def _of_driver(
    driver: Driver, outputs: Outputs, names: Sequence[str], *, missing: dict[str, str]
) -> None:
    """Run a driver until it is heard, and make its outputs safe; what was done leaves `missing`."""
    ear = Ear()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(driver.run(ear))
            await _write(ear, outputs, names, missing=missing)
            running.cancel()
    except* DeviceUnavailable as group:
        reason = str(group.exceptions[0])
        missing.update({name: reason for name in names if name in missing})


async def _write(ear: Ear, outputs: Outputs, names: Sequence[str], *, missing: dict[str, str]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARD_S):
            await ear.heard.wait()
    for name in names:
        try:
            await outputs.make_safe(name, by=BY)
            del missing[name]
        except OutputError as error:
            missing[name] = str(error)
