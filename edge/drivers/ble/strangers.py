"""Tells which sensors and tags are heard and not configured, and nothing that could follow a person.

Only what advertises a format of ours is told at all; phones do not. Of tags and badges the family is told,
never the member. A random address is told whole only when it is the fixed one of a sensor.
"""

from edge.candidates import Candidates
from edge.driver import Emitter
from edge.drivers.ble.decode import (
    BTHOME_UUID,
    RUUVI_COMPANY,
    FrameError,
    Heard,
    read_beacon,
    read_ruuvi,
)
from wire.messages import Scalar

_STATIC = 0xC0


async def tell_stranger(heard: Heard, candidates: Candidates, emit: Emitter) -> None:
    """Tell a candidate, if this is one."""
    beacon = read_beacon(heard)
    data: dict[str, Scalar] = {"rssi": heard.rssi}
    if beacon is not None:
        await candidates.seen(emit, f"{beacon.format} {beacon.family}", {"format": beacon.format, **data})
        return
    format_ = _sensor_format(heard)
    if format_ is not None:
        fixed = not heard.random or is_static(heard.address)
        address = heard.address if fixed else shortened(heard.address)
        await candidates.seen(emit, address, {"format": format_, **data})


def _sensor_format(heard: Heard) -> str | None:
    bthome = heard.service.get(BTHOME_UUID, b"")
    if bthome and bthome[0] >> 5 == 2:
        return "bthome_encrypted" if bthome[0] & 1 else "bthome"
    try:
        read_ruuvi(heard.manufacturer.get(RUUVI_COMPANY, b""))
    except FrameError:
        return None
    return "ruuvi"


def is_static(address: str) -> bool:
    """Whether a random address stays the same for the life of a device.

    Source: Bluetooth Core Specification, volume 6, part B, 1.3.2.1: its two highest bits are ones.
    """
    return int(address[:2], 16) & _STATIC == _STATIC


def shortened(address: str) -> str:
    """Return an address by which nobody can be told from others."""
    return f"{address[:2]}:xx:xx:xx:xx:xx"
