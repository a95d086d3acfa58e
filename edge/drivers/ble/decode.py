"""Decodes BLE advertisements: BTHome v2, RuuviTag data format 5, iBeacon, Eddystone-UID. Pure.

Numbers stay the integers that the device sent, at its full resolution; what it did not measure is None.
`FrameError` and its kinds are the only exceptions. It keeps no state: repeats, replays and silence are
decided elsewhere.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from edge.drivers.ble.objects import (
    BUTTON,
    BUTTON_WORDS,
    DIMMER,
    DIMMER_WORDS,
    OBJECTS,
    PACKET_ID,
    RAW,
    TEXT,
)
from wire.status import PointKind

BTHOME_UUID = "0000fcd2-0000-1000-8000-00805f9b34fb"
EDDYSTONE_UUID = "0000feaa-0000-1000-8000-00805f9b34fb"
RUUVI_COMPANY = 0x0499
APPLE_COMPANY = 0x004C
KEY_BYTES = 16
_TAIL_BYTES = 8
_MIC_BYTES = 4


class FrameError(Exception):
    """An advertisement is not what its format says; the text says what was expected."""


class KeyNeededError(FrameError):
    """The advertisement is encrypted and no key is known."""


class WrongKeyError(FrameError):
    """The advertisement does not decrypt with this key, or it was tampered with."""


class PlainError(FrameError):
    """The advertisement is not encrypted although a key is known: anybody may have sent it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One advertisement as the radio heard it."""

    address: str
    """Upper case with colons."""
    random: bool
    """Whether the address is a random one (static or private), and not one that a maker registered."""
    rssi: int
    """dBm."""
    at_ns: int
    manufacturer: Mapping[int, bytes]
    service: Mapping[str, bytes]
    """Service data by full lower-case UUID."""


# --- BTHome v2 --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """One number: value = count * 10**exponent; the second of a name is `instance` 2."""

    name: str
    instance: int
    count: int
    exponent: int

    @property
    def point(self) -> str:
        """The name of the point that it feeds: `voltage`, `voltage_2`."""
        return self.name if self.instance == 1 else f"{self.name}_{self.instance}"


@dataclass(frozen=True, slots=True)
class Press:
    """A button or a dimmer was used; `steps` is how far a dimmer was turned."""

    name: str
    instance: int
    action: str
    steps: int | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """What one BTHome advertisement says."""

    trigger_based: bool
    packet_id: int | None
    fields: tuple[Field, ...]
    presses: tuple[Press, ...]
    other: tuple[tuple[str, bytes], ...]
    """Texts and raw bytes, by name."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A BTHome advertisement before its objects are read."""

    trigger_based: bool
    counter: int | None
    """Of an encrypted one; it has been authenticated."""
    objects: bytes


def open_bthome(data: bytes, address: str, key: bytes | None) -> Envelope:
    """Return the objects of BTHome service data, decrypted.

    Raises `KeyNeededError`, `WrongKeyError`, `PlainError` (plain although there is a key) or `FrameError`.
    Source: BTHome v2 format and encryption, bthome.io.
    """
    if not data:
        raise FrameError("BTHome data are empty; expected an information byte")
    info, body = data[0], data[1:]
    if info >> 5 != 2:
        raise FrameError(f"BTHome version {info >> 5}; expected 2")
    mac = bytes.fromhex(address.replace(":", ""))
    if info & 2:
        if body[:6] != mac[::-1]:
            raise FrameError("BTHome data carry another address; expected that of the sender")
        body = body[6:]
    trigger_based = bool(info & 4)
    if not info & 1:
        if key is not None:
            raise PlainError("not encrypted although a key is configured")
        return Envelope(trigger_based, None, body)
    if key is None:
        raise KeyNeededError("encrypted, and no key is configured")
    if len(body) < _TAIL_BYTES:
        raise FrameError(f"{len(body)} encrypted bytes; expected at least {_TAIL_BYTES}")
    objects, counter, mic = body[:-_TAIL_BYTES], body[-_TAIL_BYTES:-_MIC_BYTES], body[-_MIC_BYTES:]
    nonce = mac + b"\xd2\xfc" + data[:1] + counter
    try:
        plain = AESCCM(key, tag_length=_MIC_BYTES).decrypt(nonce, objects + mic, None)
    except InvalidTag:
        raise WrongKeyError("does not decrypt with the configured key") from None
    return Envelope(trigger_based, int.from_bytes(counter, "little"), plain)


def read_objects(envelope: Envelope) -> Packet:
    """Return what the objects say; reading ends at the first id that is not known, as the format wants.

    `FrameError` for an object that is cut off.
    """
    data, at = envelope.objects, 0
    packet_id: int | None = None
    fields: list[Field] = []
    presses: list[Press] = []
    other: list[tuple[str, bytes]] = []
    while at < len(data):
        kind = data[at]
        size = _size(data, at)
        if size is None:
            break
        value = data[at + 1 : at + 1 + size]
        if len(value) < size:
            raise FrameError(f"object 0x{kind:02X} is cut off: {len(value)} of {size} bytes")
        at += 1 + size
        if kind in (TEXT, RAW):
            other.append(("text" if kind == TEXT else "raw", value[1:]))
        elif kind in (BUTTON, DIMMER):
            presses.append(_press(kind, value, presses))
        elif kind == PACKET_ID:
            packet_id = value[0]
        else:
            fields.append(_field(kind, value, fields))
    return Packet(envelope.trigger_based, packet_id, tuple(fields), tuple(presses), tuple(other))


def _size(data: bytes, at: int) -> int | None:
    """Return how many bytes follow the id at `at`; None when the id is not known."""
    kind = data[at]
    if kind in (TEXT, RAW):
        return 1 + data[at + 1] if at + 1 < len(data) else 1
    if kind == BUTTON:
        return 1
    if kind == DIMMER:
        return 2
    known = OBJECTS.get(kind)
    return known.size if known else None


def _field(kind: int, value: bytes, before: list[Field]) -> Field:
    known = OBJECTS[kind]
    raw = int.from_bytes(value, "little", signed=known.signed)
    instance = 1 + sum(field.name == known.name for field in before)
    return Field(known.name, instance, raw * known.factor, known.exponent)


def _press(kind: int, value: bytes, before: list[Press]) -> Press:
    name = "button" if kind == BUTTON else "dimmer"
    instance = 1 + sum(press.name == name for press in before)
    words = BUTTON_WORDS if kind == BUTTON else DIMMER_WORDS
    action = words.get(value[0], f"unknown_{value[0]}")
    return Press(name, instance, action, value[1] if kind == DIMMER else None)


# --- RuuviTag, data format 5 (RAWv2) ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuuviPoint:
    """One value of the format: count = raw * factor + offset, in units of 10**exponent of the quantity."""

    quantity: str
    exponent: int
    factor: int = 1
    offset: int = 0
    kind: PointKind = PointKind.ANALOG


RUUVI_POINTS: Mapping[str, RuuviPoint] = MappingProxyType(
    {
        "temperature": RuuviPoint("temperature", -3, 5),
        "humidity": RuuviPoint("relative_humidity", -4, 25),
        "pressure": RuuviPoint("pressure", -2, 1, 50_000),
        "acceleration_x": RuuviPoint("acceleration", -8, 980_665),
        "acceleration_y": RuuviPoint("acceleration", -8, 980_665),
        "acceleration_z": RuuviPoint("acceleration", -8, 980_665),
        "battery_voltage": RuuviPoint("voltage", -3, 1, 1600),
        "tx_power": RuuviPoint("signal_level", 0, 2, -40),
        "movement": RuuviPoint("count", 0, kind=PointKind.COUNTER),
        "sequence": RuuviPoint("count", 0, kind=PointKind.COUNTER),
    }
)
"""In the order of the format. 1 mG is 0.00980665 m/s2 exactly."""

SEQUENCE_MODULUS = 65_535
"""The sequence counts measurements from 0 to 65534; 65535 means that it is not available."""
_RUUVI = struct.Struct(">BhHHhhhHBH6s")


@dataclass(frozen=True, slots=True)
class Ruuvi:
    """One measurement; counts as `RUUVI_POINTS` tells, None where the tag sent its invalid pattern."""

    counts: Mapping[str, int | None]
    mac: str | None

    @property
    def sequence(self) -> int | None:
        """Number of the measurement: the same again is a repeat."""
        return self.counts["sequence"]


def read_ruuvi(data: bytes) -> Ruuvi:
    """Return what manufacturer data of RuuviTags (from the format byte on) say; `FrameError`.

    Source: Ruuvi sensor protocols, data format 5 (RAWv2).
    """
    if len(data) != _RUUVI.size or data[0] != 5:
        raise FrameError(f"{len(data)} bytes of format {data[:1].hex() or 'none'}; expected 24 of format 05")
    _, temperature, humidity, pressure, x, y, z, power, movement, sequence, mac = _RUUVI.unpack(data)
    raw = {
        "temperature": _unless(temperature, -0x8000),
        "humidity": _unless(humidity, 0xFFFF),
        "pressure": _unless(pressure, 0xFFFF),
        "acceleration_x": _unless(x, -0x8000),
        "acceleration_y": _unless(y, -0x8000),
        "acceleration_z": _unless(z, -0x8000),
        "battery_voltage": _unless(power >> 5, 0x7FF),
        "tx_power": _unless(power & 0x1F, 0x1F),
        "movement": _unless(movement, 0xFF),
        "sequence": _unless(sequence, 0xFFFF),
    }
    counts = {
        name: None if value is None else value * RUUVI_POINTS[name].factor + RUUVI_POINTS[name].offset
        for name, value in raw.items()
    }
    return Ruuvi(counts, None if mac == b"\xff" * 6 else mac.hex(":").upper())


def _unless(value: int, invalid: int) -> int | None:
    return None if value == invalid else value


# --- tags and badges ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Beacon:
    """Who a tag or badge is: `family` is shared by many of one owner, `member` is the one."""

    format: str
    family: str
    member: str


def ibeacon(uuid: UUID, major: int, minor: int) -> Beacon:
    """Return the identity of an iBeacon; the family is its UUID and major number."""
    return Beacon("ibeacon", f"{uuid}/{major}", str(minor))


def eddystone(namespace: str, instance: str) -> Beacon:
    """Return the identity of an Eddystone-UID beacon (10 and 6 bytes in hex)."""
    return Beacon("eddystone", namespace.lower(), instance.lower())


def read_beacon(heard: Heard) -> Beacon | None:
    """Return which beacon this is, or None when it is none. Never raises.

    Source: Proximity Beacon Specification R1 (iBeacon); Eddystone-UID of google/eddystone.
    """
    apple = heard.manufacturer.get(APPLE_COMPANY, b"")
    if len(apple) == 23 and apple[:2] == b"\x02\x15":
        major, minor = struct.unpack(">HH", apple[18:22])
        return ibeacon(UUID(bytes=apple[2:18]), major, minor)
    uid = heard.service.get(EDDYSTONE_UUID, b"")
    if len(uid) in (18, 20) and uid[0] == 0:
        return eddystone(uid[2:12].hex(), uid[12:18].hex())
    return None
