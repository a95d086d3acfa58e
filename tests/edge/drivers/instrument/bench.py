"""A simulated multimeter with its driver, and ways to look at what the driver did."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from edge.driver import Given
from edge.drivers.instrument.driver import InstrumentDriver
from simulators.devices.instrument import Instrument, Multimeter, scpi_server
from wire.messages import Clock
from wire.settings.instrument import Argument, Identity, InstrumentDevice, Procedure, Query, Step
from wire.status import ClockState

CLOCK = Clock(ClockState.SYNCHRONISED, 1000, 7, "gnss")
METER_ID = Identity(maker="Heng simulators", model="SIM-6500", serial="DMM0001")
PROCEDURES = [
    Procedure(
        name="range",
        argument=[Argument(name="range", words=["1", "10", "7"])],
        step=[Step(command="CONF:VOLT:DC {range}"), Step(command="CONF?")],
    ),
    Procedure(name="screen", step=[Step(command="HCOP:SDUM:DATA?", save="png")]),
]


def meter_settings(port: int, **more: Any) -> InstrumentDevice:
    given = {
        "name": "meter",
        "prefix": "bench/meter",
        "resource": f"TCPIP::127.0.0.1::{port}::SOCKET",
        "identity": METER_ID,
        "interval_ms": 100,
        "timeout_ms": 300,
        "query": [Query(point="voltage", command="READ?", quantity="voltage", step=Decimal("1e-7"))],
        "procedure": PROCEDURES,
    }
    return InstrumentDevice(**(given | more))


@asynccontextmanager
async def metered(
    folder: Path, *, monotonic_ns: Callable[[], int] = time.monotonic_ns, **more: Any
) -> AsyncIterator[tuple[Instrument, InstrumentDriver]]:
    instrument = Instrument(Multimeter(now_s=time.time, voltage=lambda _: 10.0))
    async with scpi_server(instrument) as port:
        yield (
            instrument,
            InstrumentDriver(meter_settings(port, **more), Given(monotonic_ns, folder, lambda: CLOCK)),
        )


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


def value(collector: Any) -> object:
    return collector.polls[-1].counts[0] if collector.polls else None


def visa_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("visa")]


def transcript(folder: Path, number: int = 1) -> list[dict[str, Any]]:
    text = (folder / "meter" / "transcripts" / f"{number:08d}.jsonl").read_text("ascii")
    return [json.loads(line) for line in text.splitlines()]


async def beside(driver: InstrumentDriver, collector: Any, work: Callable[[], Any]) -> Any:
    """Do something while the driver runs."""
    running = asyncio.create_task(driver.run(collector))
    try:
        await asyncio.wait_for(collector.until(lambda: collector.polls), 10)
        return await asyncio.wait_for(work(), 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
