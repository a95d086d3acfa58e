"""Texts of sysfs files in, counts and statuses out. It opens no file.

Sources: Documentation/ABI/testing/sysfs-bus-iio, Documentation/hwmon/sysfs-interface and
Documentation/w1/slaves/w1_therm of the Linux kernel; the data sheets of DS18B20 and DS18S20.
"""

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType

from edge.drivers.exact import count_of
from edge.drivers.sysfs.models import MODELS, Range
from wire.settings.sysfs import SysfsModel
from wire.status import Status

Said = str | int
"""What reading a file gave: its text, or the number of the error."""

_NUMBER = re.compile(r"[+-]?\d{1,19}(\.\d{1,18})?")
_EXACT = Context(prec=80)
_LATER = frozenset({errno.ENODATA, errno.EAGAIN, errno.EBUSY})
"""The kernel's words for "no value now": nothing was measured, and nothing is broken."""
GONE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ESTALE})
"""The kernel's words for a device that is not there any more."""


class SysfsError(Exception):
    """A text that is no value; `status` says how the reading is absent, the text says what was wrong."""

    def __init__(self, reason: str, status: Status = Status.INVALID) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Channel:
    """How a kind of channel becomes a point: value = number in the file * unit."""

    quantity: str
    exponent: int
    unit: Decimal


CHANNELS: Mapping[str, Mapping[str, Channel]] = MappingProxyType(
    {
        "iio": {
            "temp": Channel("temperature", -6, Decimal("0.001")),
            "humidityrelative": Channel("relative_humidity", -6, Decimal("0.001")),
            "pressure": Channel("pressure", -6, Decimal(10)),
            "illuminance": Channel("illuminance", -6, Decimal(1)),
            "concentration_co2": Channel("co2", -3, Decimal(10_000)),
            "voltage": Channel("voltage", -9, Decimal("0.001")),
            "current": Channel("current", -9, Decimal("0.001")),
            "power": Channel("power", -9, Decimal("0.001")),
            "accel": Channel("acceleration", -9, Decimal(1)),
        },
        "hwmon": {
            "temp": Channel("temperature", -4, Decimal("0.001")),
            "humidity": Channel("relative_humidity", -4, Decimal("0.001")),
            "in": Channel("voltage", -4, Decimal("0.001")),
            "curr": Channel("current", -4, Decimal("0.001")),
            "power": Channel("power", -7, Decimal("0.000001")),
            "fan": Channel("rotational_speed", -1, Decimal(1)),
        },
        "w1": {
            "temperature": Channel("temperature", -4, Decimal("0.001")),
            "w1_slave": Channel("temperature", -5, Decimal(1)),
        },
    }
)
"""kind -> type of channel -> what it is; exponents are below a tenth of the finest step of known drivers."""


@dataclass(frozen=True, slots=True)
class Value:
    """One reading: a count with a status below 16, or None with the status that tells why."""

    count: int | None
    status: Status
    reason: str = ""


def type_of(kind: str, channel: str) -> str:
    """Return the type of a channel: `voltage` of `in_voltage0`, `temp` of `temp1`."""
    name = channel.removeprefix("in_") if kind == "iio" else channel
    return next(known for known in CHANNELS[kind] if re.fullmatch(known + r"\d*(_[xyz])?", name))


def channel_of(kind: str, channel: str) -> Channel:
    """Return how a channel that the settings accept becomes a point."""
    return CHANNELS[kind][type_of(kind, channel)]


def files_of(kind: str, channel: str) -> Sequence[str]:
    """Return the files that may tell a channel's value; not all have to be there."""
    if kind == "w1":
        return [channel]
    if kind == "hwmon":
        return [f"{channel}_input", f"{channel}_fault"]
    shared = f"in_{type_of(kind, channel)}"
    own = [f"{channel}_{part}" for part in ("input", "raw", "offset", "scale")]
    return [*own, f"{shared}_offset", f"{shared}_scale"] if shared != channel else own


def read(
    kind: str,
    channel: str,
    said: Mapping[str, Said],
    *,
    model: SysfsModel | None = None,
    before: Value | None = None,
) -> Value:
    """Return the reading of one channel from what its files said; a file that is not there is not in `said`.

    `before` is the reading before this one, which tells 85 °C from a thermometer that did not convert.
    """
    what = channel_of(kind, channel)
    limits = MODELS[model].get(what.quantity) if model else None
    try:
        number, scale = _number(kind, channel, said)
        value = _EXACT.multiply(number, what.unit)
        _not_power_on(channel, value, what=what, before=before)
    except SysfsError as error:
        return Value(None, error.status, str(error))
    count = count_of(value, what.exponent)
    if count is None:
        return Value(None, Status.INVALID, f"{value}: too large")
    return _judged(count, value, scale=scale, limits=limits)


def _judged(count: int, value: Decimal, *, scale: Decimal | None, limits: Range | None) -> Value:
    if limits and scale is not None and not limits.scale_known(scale):
        known = " or ".join(map(str, limits.scales))
        return Value(count, Status.IMPLAUSIBLE, f"scale {scale}: expected {known}")
    if limits and not limits.holds(value):
        return Value(count, Status.IMPLAUSIBLE, f"{value:f}: expected {limits.low} to {limits.high}")
    return Value(count, Status.GOOD)


def _number(kind: str, channel: str, said: Mapping[str, Said]) -> tuple[Decimal, Decimal | None]:
    """Return the number in the kernel's unit, and the scale if there was one."""
    if kind == "hwmon":
        if f"{channel}_fault" in said and _text(said, f"{channel}_fault") not in ("", "0"):
            raise SysfsError(f"{channel}_fault is set", Status.DEVICE_ERROR)
        return _decimal(said, f"{channel}_input"), None
    if channel == "w1_slave":
        return scratchpad_temperature(_text(said, channel)), None
    if kind == "w1":
        return _decimal(said, channel), None
    if f"{channel}_input" in said:
        return _decimal(said, f"{channel}_input"), None
    shared = f"in_{type_of(kind, channel)}"
    offset, scale = (
        next(
            (_decimal(said, f"{base}_{part}") for base in (channel, shared) if f"{base}_{part}" in said),
            otherwise,
        )
        for part, otherwise in (("offset", Decimal(0)), ("scale", Decimal(1)))
    )
    return _EXACT.multiply(_EXACT.add(_decimal(said, f"{channel}_raw"), offset), scale), scale


def _text(said: Mapping[str, Said], name: str) -> str:
    answer = said.get(name, errno.ENOENT)
    if isinstance(answer, int):
        word = errno.errorcode.get(answer, str(answer))
        raise SysfsError(f"{name}: {word}", Status.NOT_MEASURED if answer in _LATER else Status.DEVICE_ERROR)
    return answer.strip()


def _decimal(said: Mapping[str, Said], name: str) -> Decimal:
    text = _text(said, name)
    if not text:
        raise SysfsError(f"{name}: empty", Status.DEVICE_ERROR)
    if not _NUMBER.fullmatch(text) or not text.isascii():
        raise SysfsError(f"{name}: {text[:40]!r}: expected a number")
    return Decimal(text)


# --- 1-wire thermometers ------------------------------------------------------------------------------

_SLAVE = re.compile(
    r"((?:[0-9a-f]{2} ){9}): crc=([0-9a-f]{2}) (YES|NO)\s+(?:[0-9a-f]{2} ){9}t=(-?\d{1,6})", re.IGNORECASE
)
_POWER_ON = frozenset({bytes([0x50, 0x05]), bytes([0xAA, 0x00])})
"""What a DS18B20 and a DS18S20 hold before their first conversion, 85 °C, if byte 6 is as below."""
_COUNT_AT_POWER_ON = 0x0C
_MILLI = Decimal(1000)


def crc8(data: bytes) -> int:
    """Return the checksum of a 1-wire scratchpad (polynomial x^8 + x^5 + x^4 + 1)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x8C if crc & 1 else 0)
    return crc


def scratchpad_temperature(text: str) -> Decimal:
    """Return the temperature in °C, exact, from a file `w1_slave`; `SysfsError`.

    After a wrong checksum its second line repeats the last good bytes, so only the first line is used, and
    the kernel's `t=` only to see that both mean the same.
    """
    text = text.strip()
    if not text:
        raise SysfsError("w1_slave: empty, the thermometer did not answer", Status.DEVICE_ERROR)
    found = _SLAVE.fullmatch(text)
    if found is None:
        raise SysfsError(f"w1_slave: {text[:40]!r}: expected two lines of nine bytes")
    pad = bytes.fromhex(found[1])
    if found[3].upper() != "YES" or crc8(pad) != 0:
        raise SysfsError("w1_slave: wrong checksum", Status.DEVICE_ERROR)
    if not any(pad):
        raise SysfsError("w1_slave: nothing but zeros, the line is shorted", Status.DEVICE_ERROR)
    kernel = Decimal(found[4]) / _MILLI
    exact = _from_pad(pad)
    if abs(exact - kernel) > Decimal("0.51"):
        raise SysfsError(f"w1_slave: bytes say {exact}, the kernel {kernel}")
    return exact


def _from_pad(pad: bytes) -> Decimal:
    if pad[:2] in _POWER_ON and pad[6] == _COUNT_AT_POWER_ON:
        raise SysfsError("85 °C from before the first conversion", Status.NOT_MEASURED)
    raw = int.from_bytes(pad[:2], "little", signed=True)
    if pad[4] & 0x9F == 0x1F:  # DS18B20 and its kin: two bits of resolution between ones
        unsure = 3 - (pad[4] >> 5 & 3)
        return Decimal(raw >> unsure << unsure) / 16
    if pad[7]:  # DS18S20: half degrees, and a counter that divides them further
        whole = Decimal(raw >> 1) - Decimal("0.25")
        return whole + Decimal(pad[7] - pad[6]) / Decimal(pad[7])
    raise SysfsError(f"w1_slave: {pad.hex(' ')}: the bytes of no known thermometer")


def _not_power_on(channel: str, value: Decimal, *, what: Channel, before: Value | None) -> None:
    """Refuse exactly 85 °C that nothing led up to; the file `temperature` has no bytes to tell it by."""
    if channel != "temperature" or value != 85:
        return
    warm = before is not None and before.count is not None and before.count >= 80 * 10**-what.exponent
    if not warm:
        raise SysfsError("85 °C, and no reading near it before: no conversion", Status.NOT_MEASURED)
