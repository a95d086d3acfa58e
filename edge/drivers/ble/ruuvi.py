"""RuuviTags: the sequence number tells repeats from measurements, and how many were missed."""

from edge.driver import Emitter
from edge.drivers.ble.decode import (
    RUUVI_COMPANY,
    RUUVI_POINTS,
    SEQUENCE_MODULUS,
    FrameError,
    Heard,
    read_ruuvi,
)
from edge.drivers.ble.sensors import Sensor, Stream
from wire.messages import PointDeclaration
from wire.settings.ble import BleSensor
from wire.status import PointKind

MEASUREMENTS_PER_S_MAX = 20
"""No tag measures more often; a sequence that jumped farther began anew."""
MISSED = "missed"


class RuuviSensor(Sensor):
    """One RuuviTag with data format 5."""

    def __init__(self, settings: BleSensor, device: str) -> None:
        """`device` is the name of the device in the settings."""
        super().__init__(settings, device)
        points = [_declare(settings, point, device) for point in settings.chosen]
        self._stream = Stream(points, settings.due_ms)
        self.streams = (self._stream,)
        self._sequence: int | None = None
        self._data = b""
        self._measured_ns = 0
        self._missed = 0

    def begin(self, emit: Emitter, now_ns: int) -> None:
        """A run begins."""
        super().begin(emit, now_ns)
        self._sequence, self._data, self._missed = None, b"", 0

    async def _take(self, heard: Heard, emit: Emitter) -> None:
        data = heard.manufacturer.get(RUUVI_COMPANY)
        if data is None or data == self._data:
            return
        try:
            measured = read_ruuvi(data)
        except FrameError as error:
            await self._refuse("format", str(error), at_ns=heard.at_ns, emit=emit)
            return
        self._data = data
        sequence, before = measured.sequence, self._sequence
        if sequence is not None and sequence == before:
            return
        await self._count(sequence, heard.at_ns, emit)
        self._believed()
        if self._stream.is_due(heard.at_ns):
            counts = {**measured.counts, MISSED: self._missed}
            await self._stream.emit([counts[point] for point in self.settings.chosen], heard.at_ns, emit)

    async def _count(self, sequence: int | None, at_ns: int, emit: Emitter) -> None:
        """Count the measurements that were never heard since the last one that was."""
        before, elapsed_ns = self._sequence, at_ns - self._measured_ns
        self._sequence, self._measured_ns = sequence, at_ns
        if sequence is None or before is None:
            return
        steps = (sequence - before) % SEQUENCE_MODULUS
        if steps > 1 + elapsed_ns * MEASUREMENTS_PER_S_MAX // 10**9:
            await self._tell(
                "sensor_restarted", {"sequence": sequence, "before": before}, at_ns=at_ns, emit=emit
            )
        else:
            self._missed += steps - 1


def _declare(settings: BleSensor, point: str, device: str) -> PointDeclaration:
    known = RUUVI_POINTS.get(point)
    return PointDeclaration(
        name=f"{settings.prefix}/{point}",
        quantity=known.quantity if known else "count",
        kind=known.kind if known else PointKind.COUNTER,
        exponent=known.exponent if known else 0,
        period_ms=settings.due_ms,
        device=device,
    )
