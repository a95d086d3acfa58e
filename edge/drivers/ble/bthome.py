"""BTHome v2 devices: who may speak for a sensor, what is a repeat, and which point a value feeds.

A device that ever had a key is believed encrypted alone. Each point is read by itself, because devices
divide their values over several advertisements.
"""

import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from edge.driver import Emitter
from edge.drivers.ble.decode import (
    BTHOME_UUID,
    KEY_BYTES,
    Field,
    FrameError,
    Heard,
    KeyNeededError,
    Packet,
    PlainError,
    Press,
    WrongKeyError,
    open_bthome,
    read_objects,
)
from edge.drivers.ble.objects import POINTS, STATES
from edge.drivers.ble.replay import Counter, Verdict
from edge.drivers.ble.sensors import Sensor, Stream
from wire.messages import PointDeclaration, Scalar
from wire.settings.base import Fault
from wire.settings.ble import BleSensor
from wire.status import PointKind

_REFUSALS: Sequence[tuple[type[FrameError], str]] = (
    (KeyNeededError, "no_key"),
    (WrongKeyError, "wrong_key"),
    (PlainError, "not_encrypted"),
    (FrameError, "format"),
)
_POINT = re.compile(r"([a-z0-9_]+?)(?:_([2-9]))?")
_KEY_FILE_BYTES_MAX = 200
_RECENT = 4
"""A device that divides its values repeats so many different advertisements in turn."""


class BtHomeSensor(Sensor):
    """One BTHome v2 device."""

    def __init__(self, settings: BleSensor, device: str, folder: Path) -> None:
        """`folder` is where the key file lies; it is read when a run begins."""
        super().__init__(settings, device)
        self._folder = folder
        self._by_point = {
            point: Stream([_declare(settings, point, device)], settings.due_ms) for point in settings.chosen
        }
        self.streams = tuple(self._by_point.values())
        self._key: bytes | None = None
        self._key_fault = ""
        self._counter: Counter | None = None
        self._recent: deque[bytes] = deque(maxlen=_RECENT)

    def begin(self, emit: Emitter, now_ns: int) -> None:
        """A run begins: the key is read anew."""
        super().begin(emit, now_ns)
        self._recent.clear()
        self._key, self._key_fault, self._counter = None, "", None
        if self.settings.key_file is not None:
            self._key, self._key_fault = read_key(self._folder / self.settings.key_file)
            key = f"counter/{self.settings.address.lower()}"
            self._counter = Counter(emit, key, self.settings.counter_reset)

    async def tell_beginning(self, now_ns: int, emit: Emitter) -> None:
        """Tell what an administrator has to know at the start: a reset, or a key that cannot be used."""
        if self._counter and self._counter.reset:
            data: dict[str, Scalar] = {
                "reset": self._counter.reset.number,
                "lowest": self._counter.reset.lowest,
            }
            await self._tell("counter_reset", data, at_ns=now_ns, emit=emit)
        if self._key_fault:
            await self._refuse("key_file", self._key_fault, at_ns=now_ns, emit=emit)

    async def _take(self, heard: Heard, emit: Emitter) -> None:
        data = heard.service.get(BTHOME_UUID)
        if data is None or (self._key_fault and self.settings.key_file):
            return
        again = data in self._recent
        if not again:
            self._recent.append(data)
        try:
            envelope = open_bthome(data, heard.address, self._key)
            packet = read_objects(envelope)
        except FrameError as error:
            refusal = next(word for kind, word in _REFUSALS if isinstance(error, kind))
            await self._refuse(refusal, str(error), at_ns=heard.at_ns, emit=emit)
            return
        if envelope.counter is not None:
            await self._authenticated(envelope.counter, packet, heard, emit=emit)
        elif not again or packet.packet_id is None:
            self._believed()
            await self._read(packet, heard.at_ns, emit, presses=not again)

    async def _authenticated(self, number: int, packet: Packet, heard: Heard, *, emit: Emitter) -> None:
        assert self._counter is not None
        verdict = self._counter.judge(number)
        if verdict is Verdict.REPEAT:
            return
        if verdict is Verdict.BACK:
            reason = f"its counter went back to {number}, below {self._counter.lowest}"
            await self._refuse("counter", reason, at_ns=heard.at_ns, emit=emit)
            return
        if verdict is Verdict.FIRST:
            await self._tell("counter_learned", {"counter": number}, at_ns=heard.at_ns, emit=emit)
        self._believed()
        await self._read(packet, heard.at_ns, emit, presses=True)
        self._counter.accept(number)

    async def _read(self, packet: Packet, at_ns: int, emit: Emitter, *, presses: bool) -> None:
        for field in packet.fields:
            stream = self._by_point.get(field.point)
            if stream is None:
                continue
            counts = [_count(field)]
            changed = field.name in STATES and counts != stream.before
            if changed or stream.is_due(at_ns):
                await stream.emit(counts, at_ns, emit)
        for press in packet.presses if presses else ():
            if press.action != "none":
                kind = "button_used" if press.name == "button" else "dimmer_used"
                await self._tell(kind, _press_data(press), at_ns=at_ns, emit=emit)


def _count(field: Field) -> int:
    """Return the count in the exponent of the point, which is never coarser than the field's."""
    return int(field.count * 10 ** (field.exponent - POINTS[field.name][1]))


def _press_data(press: Press) -> dict[str, Scalar]:
    data: dict[str, Scalar] = {"number": press.instance, "action": press.action}
    return data if press.steps is None else {**data, "steps": press.steps}


def read_key(file: Path) -> tuple[bytes | None, str]:
    """Return the key in a file of 32 hex digits, or None and what is wrong with the file."""
    try:
        with file.open(encoding="ascii") as opened:
            text = opened.read(_KEY_FILE_BYTES_MAX).strip()
    except OSError as error:
        return None, f"key file {file.name}: {error.strerror}"
    except UnicodeDecodeError:
        text = ""
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", text):
        return None, f"key file {file.name}: {len(text)} characters, expected {2 * KEY_BYTES} hex digits"
    return bytes.fromhex(text), ""


def split_point(point: str) -> tuple[str, int] | None:
    """Return name and instance of a point of BTHome; None when there is no such value."""
    found = _POINT.fullmatch(point)
    if point in POINTS:
        return point, 1
    if found is None or found[1] not in POINTS or found[2] is None:
        return None
    return found[1], int(found[2])


def point_faults(settings: BleSensor) -> list[Fault]:
    """Return the points that BTHome does not have; paths are relative to the sensor."""
    return [
        Fault(f"points[{index}]", point, f"one of {', '.join(POINTS)}, with _2 to _9 for a repeated one")
        for index, point in enumerate(settings.points)
        if split_point(point) is None
    ]


def _declare(settings: BleSensor, point: str, device: str) -> PointDeclaration:
    found = split_point(point)
    assert found is not None
    quantity, exponent = POINTS[found[0]]
    states = STATES.get(found[0], {})
    return PointDeclaration(
        name=f"{settings.prefix}/{point}",
        quantity=quantity,
        kind=PointKind.STATE if states else PointKind.ANALOG,
        exponent=exponent,
        period_ms=settings.due_ms,
        device=device,
        states=dict(states),
    )
