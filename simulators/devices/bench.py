"""Instruments and cameras as parts of a scenario: the simulated device, and the settings that reach it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from simulators.devices.camera import Camera, camera_server
from simulators.devices.instrument import Bath, Instrument, Multimeter, scpi_server
from simulators.scenario import CameraPart, InstrumentPart, Table

REFERENCE_V = 10.0
"""What a multimeter of a scenario measures: a reference that follows its room by a millionth a degree."""
DRIFT_PER_K = 1e-6


@asynccontextmanager
async def scpi_instrument(
    part: InstrumentPart, *, room: Callable[[float], float], utc_s: Callable[[], float], port: int = 0
) -> AsyncIterator[tuple[Instrument, Table]]:
    """Run an instrument while the context is open. `room` is the temperature of its room at a time."""
    if part.model == "bath":
        instrument = Instrument(Bath(now_s=utc_s, room=room))
    else:

        def voltage(now_s: float) -> float:
            return REFERENCE_V * (1 + DRIFT_PER_K * (room(now_s) - 20))

        instrument = Instrument(Multimeter(now_s=utc_s, voltage=voltage))
    async with scpi_server(instrument, port=port) as at:
        yield instrument, _instrument_table(part, instrument.model.identity, at)


def _instrument_table(part: InstrumentPart, identity: str, port: int) -> Table:
    maker, model, serial, _ = identity.split(",")
    bath = part.model == "bath"
    query = {"point": "voltage", "command": "READ?", "quantity": "voltage", "step": "1e-7"}
    procedure: Table = {
        "name": "direct_voltage",
        "argument": [{"name": "range", "words": ["0.1", "1", "10", "100", "1000"]}],
        "step": [{"command": "CONF:VOLT:DC {range}"}, {"command": "CONF?"}],
    }
    if bath:
        query = {"point": "bath", "command": "SENS:TEMP?", "quantity": "temperature", "step": "0.001"}
        procedure = {
            "name": "set_point",
            "argument": [{"name": "target", "low": "-30", "high": "90"}],
            "step": [{"command": "SOUR:TEMP:SPT {target}"}, {"command": "OUTP ON"}],
        }
    return {
        "driver": "instrument",
        "name": part.name,
        "prefix": part.prefix or part.name,
        "resource": f"TCPIP::127.0.0.1::{port}::SOCKET",
        "identity": {"maker": maker, "model": model, "serial": serial},
        "query": [query],
        "procedure": [procedure],
    }


@asynccontextmanager
async def network_camera(
    part: CameraPart, folder: Path, *, utc_s: Callable[[], float], port: int = 0
) -> AsyncIterator[tuple[Camera, Table]]:
    """Run a camera while the context is open; its encoder's log goes to `folder`. `DaemonError`."""
    camera = Camera(kind=part.stream, now_s=utc_s)
    async with camera_server(camera, folder=folder, port=port) as at:
        scheme = "rtsp" if part.stream == "rtsp" else "http"
        yield (
            camera,
            {
                "driver": "camera",
                "name": part.name,
                "prefix": part.prefix or part.name,
                "url": f"{scheme}://127.0.0.1:{at}/live",
                "heartbeat_s": 5,
                "recording_bytes_max": 50_000_000,
                "pictures_bytes_max": 50_000_000,
                "snapshot_s": 300,
                "snapshot_on": part.snapshot_on,
            },
        )
