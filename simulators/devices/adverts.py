"""What BLE devices advertise: RuuviTags, BTHome v2 devices, iBeacons, Eddystone-UID beacons, and phones.

It makes payloads from values; it knows no radio and no D-Bus.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

BTHOME = "0000fcd2-0000-1000-8000-00805f9b34fb"
EDDYSTONE = "0000feaa-0000-1000-8000-00805f9b34fb"


@dataclass(frozen=True, slots=True)
class Advert:
    """The data of one advertisement."""

    manufacturer: Mapping[int, bytes] = field(default_factory=dict)
    service: Mapping[str, bytes] = field(default_factory=dict)


def ad_structures(data: bytes) -> Advert:
    """Return what the raw AD structures of an advertisement hold (Core Specification Supplement, part A)."""
    manufacturer: dict[int, bytes] = {}
    service: dict[str, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        kind, value = data[at + 1], data[at + 2 : at + 1 + data[at]]
        if kind == 0xFF:
            manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
        elif kind == 0x16:
            number = int.from_bytes(value[:2], "little")
            service[f"0000{number:04x}-0000-1000-8000-00805f9b34fb"] = value[2:]
        at += 1 + data[at]
    return Advert(manufacturer, service)


def ruuvi(
    sequence: int, *, celsius: float = 21.0, percent: float = 45.0, pascal: int = 100_000, mac: str
) -> Advert:
    """Return a RuuviTag's data format 5; the sequence runs from 0 to 65534."""
    body = b"\x05" + round(celsius / 0.005).to_bytes(2, "big", signed=True)
    body += round(percent / 0.0025).to_bytes(2, "big") + (pascal - 50_000).to_bytes(2, "big")
    body += bytes.fromhex("0004fffc040c") + ((1377 << 5) | 22).to_bytes(2, "big") + b"\x07"
    body += (sequence % 65_535).to_bytes(2, "big") + bytes.fromhex(mac.replace(":", ""))
    return Advert({0x0499: body})


def bthome(objects: bytes, *, trigger_based: bool = False) -> Advert:
    """Return plain BTHome v2 service data with these objects."""
    return Advert(service={BTHOME: bytes([0x40 | (4 if trigger_based else 0)]) + objects})


def sealed_bthome(objects: bytes, *, key: bytes, counter: int, mac: str) -> Advert:
    """Return BTHome v2 service data encrypted with AES-CCM."""
    info, number = b"\x41", counter.to_bytes(4, "little")
    nonce = bytes.fromhex(mac.replace(":", "")) + b"\xd2\xfc" + info + number
    sealed = AESCCM(key, tag_length=4).encrypt(nonce, objects, None)
    return Advert(service={BTHOME: info + sealed[:-4] + number + sealed[-4:]})


def ibeacon(uuid: str, major: int, minor: int) -> Advert:
    """Return an iBeacon's data."""
    body = b"\x02\x15" + UUID(uuid).bytes + major.to_bytes(2, "big") + minor.to_bytes(2, "big") + b"\xc5"
    return Advert({0x004C: body})


def eddystone(namespace: str, instance: str) -> Advert:
    """Return an Eddystone-UID frame."""
    frame = b"\x00\xee" + bytes.fromhex(namespace) + bytes.fromhex(instance) + b"\0\0"
    return Advert(service={EDDYSTONE: frame})


def phone() -> Advert:
    """Return what a phone says to its own kind."""
    return Advert({0x004C: bytes.fromhex("10055b1c9f2b1a")})
