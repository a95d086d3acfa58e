"""`heng edge set`: sets one output once, for whoever puts a device into service; never beside a gateway."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path

from edge.assembly import AssemblyError, build_drivers
from edge.control.outputs import OutputDriver, OutputError, Outputs
from edge.driver import DeviceUnavailable, Driver, Given, TimeHint
from edge.journal.errors import JournalFullError, JournalInUseError
from edge.journal.lock import FolderLock
from edge.main import real_world
from wire.messages import Event, Poll, Position, Scalar
from wire.quantities import QUANTITIES
from wire.settings.gateway import GatewaySettings
from wire.status import GapCause

HEARD_S = 15.0
"""So long may a device take until it is heard; then it is written anyway, and says itself what is wrong."""


def set_output(settings: GatewaySettings, data: Path, *, name: str | None, value: str | None) -> int:
    """Set and read back; without a name list what there is. 0 done, 1 the device does not, 2 wrong input.

    The data folder is locked meanwhile, so that no gateway owns the outputs.
    """
    try:
        lock = FolderLock.take(data)
    except JournalInUseError as error:
        return _say(f"{error}: a running gateway owns its outputs; stop it first", 2)
    except JournalFullError as error:
        return _say(str(error), 1)
    try:
        drivers = build_drivers(settings, Given(real_world().monotonic_ns, data))
        outputs = Outputs(drivers, tell=_told, now=time.monotonic)
        if name is None or value is None:
            return _list(outputs)
        counts = _counts(outputs, name, value)
        owner = next(driver for driver in drivers if name in _names(driver))
        asyncio.run(_set(owner, outputs, name=name, counts=counts))
    except AssemblyError as error:
        return _say("; ".join(map(str, error.faults)), 2)
    except ValueError as error:
        return _say(str(error), 2)
    except OutputError as error:
        return _say(str(error), 1)
    finally:
        lock.release()
    print(f"{name}: {value}, confirmed by the device")
    return 0


def _names(driver: Driver) -> Sequence[str]:
    return [output.name for output in driver.outputs] if isinstance(driver, OutputDriver) else []


def _list(outputs: Outputs) -> int:
    for name in outputs.names:
        output = outputs.output(name)
        low, high = (Decimal(count).scaleb(output.exponent) for count in (output.low, output.high))
        unit = QUANTITIES[output.quantity].unit if output.quantity else ""
        print(f"{name}: {low:f} to {high:f} {unit}".rstrip())
    return _say("no output is declared", 1) if not outputs.names else 0


def _counts(outputs: Outputs, name: str, value: str) -> int:
    """Return the counts of a value; `ValueError` for an unknown output or what is no number of its places."""
    if name not in outputs.names:
        raise ValueError(f"--output {name}: expected one of {', '.join(outputs.names) or 'none'}")
    exponent = outputs.output(name).exponent
    try:
        counts = Decimal(value).scaleb(-exponent)
        whole = int(counts)
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"--value {value}: expected a number") from None
    if whole != counts:
        raise ValueError(f"--value {value}: expected at most {-exponent} places")
    return whole


async def _set(driver: Driver, outputs: Outputs, *, name: str, counts: int) -> None:
    """Run the one driver that has the output until it heard its devices, and set it."""
    ear = _Ear()
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


class _Ear:
    """Implements `edge.driver.Emitter`: hears that the device is there, and keeps nothing."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def poll(self, poll: Poll) -> None:
        self.heard.set()

    async def position(self, position: Position) -> None:
        self.heard.set()

    async def event(self, event: Event) -> None:
        self.heard.set()

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        self.heard.set()

    def time(self, hint: TimeHint) -> None:
        pass

    def remember(self, key: str, value: bytes) -> None:
        pass

    def recall(self, key: str) -> bytes | None:
        return None


def _told(kind: str, data: Mapping[str, Scalar], subject: str) -> None:
    print(f"{kind} {subject} {dict(data)}", file=sys.stderr)


def _say(text: str, code: int) -> int:
    print(f"heng edge set: {text}", file=sys.stderr)
    return code
