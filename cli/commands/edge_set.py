"""`heng edge set`: sets one output once, for whoever puts a device into service.

A running gateway is asked to do it; without one the device's driver is run alone until it is done. What rests
between two writes is left to a gateway, as nothing here keeps when it was written.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cli.commands.edge_ask import AskError, NobodyThereError, answer, refuse
from cli.commands.edge_ear import Ear, printed
from edge.assembly import AssemblyError, build_drivers
from edge.control.offers import RefusedError
from edge.control.outputs import OutputDriver, OutputError, Outputs
from edge.driver import DeviceUnavailable, Driver, Given
from edge.journal.errors import JournalFullError, JournalInUseError
from edge.journal.lock import FolderLock
from edge.local.asks import ListOutputs, SetOutput
from edge.world import real_world
from wire.settings.gateway import GatewaySettings

HEARD_S = 15.0
"""So long may a device take until it is heard; then it is written anyway, and says itself what is wrong."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--output", metavar="NAME", help="which output; all are listed without")
    parser.add_argument("--value", metavar="NUMBER", help="0 or 1 of a switch, else a setpoint")


def set_output(settings: GatewaySettings, data: Path, *, name: str | None, value: str | None) -> int:
    """Set and read back; without a name list what there is. 0 done, 1 the device does not, 2 wrong input."""
    if (name is None) != (value is None):
        return refuse("set", "expected --output and --value together, or neither", 2)
    try:
        try:
            listed = _by_gateway(data, name, value)
        except NobodyThereError:
            listed = _alone(settings, data, name=name, value=value)
    except AskError as error:
        return refuse("set", error, error.code)
    if name is not None:
        print(f"{name}: {value}, confirmed by the device")
        return 0
    print("".join(f"{line}\n" for line in listed), end="")
    return 0 if listed else refuse("set", "no output is declared", 1)


def _by_gateway(data: Path, name: str | None, value: str | None) -> Sequence[str]:
    """Have the running gateway do it; `AskError`."""
    if name is None or value is None:
        done = answer(data, ListOutputs())
        listed, away = done["outputs"], done.get("away", {})
        assert isinstance(listed, list)
        assert isinstance(away, dict)
        return [
            f"{line}; {away[name]}" if (name := line.partition(": ")[0]) in away else line for line in listed
        ]
    answer(data, SetOutput(output=name, value=value))
    return ()


def _alone(settings: GatewaySettings, data: Path, *, name: str | None, value: str | None) -> Sequence[str]:
    """Do it without a gateway; `AskError`. The folder is locked meanwhile, so that none owns the outputs."""
    try:
        lock = FolderLock.take(data)
    except JournalInUseError as error:
        raise AskError(f"{error}: a gateway owns its outputs and does not answer (yet)", 1) from None
    except JournalFullError as error:
        raise AskError(str(error), 1) from None
    try:
        drivers = build_drivers(settings, Given(real_world().monotonic_ns, data))
        outputs = Outputs(drivers, tell=printed, now=time.monotonic)
        if name is None or value is None:
            return outputs.described()
        counts = outputs.counts(name, value)
        if outputs.output(name).apart_s:
            raise OutputError(f"{name} rests between two writes, and only a running gateway knows since when")
        owner = next(driver for driver in drivers if name in _names(driver))
        asyncio.run(_set(owner, outputs, name=name, counts=counts))
    except AssemblyError as error:
        raise AskError("; ".join(map(str, error.faults)), 2) from None
    except RefusedError as error:
        raise AskError(str(error), 2) from None
    except OutputError as error:
        raise AskError(str(error), 1) from None
    finally:
        lock.release()
    return ()


def _names(driver: Driver) -> Sequence[str]:
    return [output.name for output in driver.outputs] if isinstance(driver, OutputDriver) else []


async def _set(driver: Driver, outputs: Outputs, *, name: str, counts: int) -> None:
    """Run the one driver that has the output until it heard its devices, and set it."""
    ear = Ear()
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(driver.run(ear))
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARD_S):
                    await ear.heard.wait()
            await outputs.set(name, counts, by="heng edge set")
            running.cancel()
    except ExceptionGroup as group:
        for error in group.exceptions:
            if isinstance(error, DeviceUnavailable):
                raise OutputError(f"{name}: {error.reason}") from None
            if isinstance(error, OutputError):
                raise error from None
        raise
