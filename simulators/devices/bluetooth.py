"""A Bluetooth radio of a scenario: RuuviTags that measure rooms, and asset tags that come and go."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from simulators.devices import adverts
from simulators.devices.bluez import Adapter, Air, Transmitter, bluetooth_service, message_bus
from simulators.scenario import BlePart, Table
from simulators.world import World

BUS = "DBUS_SYSTEM_BUS_ADDRESS"
"""The environment variable by which programs find this D-Bus instead of the machine's."""
INTERVAL_S = 1.285
"""How often a RuuviTag measures and advertises."""
ROUND_S = 600
AWAY_S = 120
"""A tag is away for so long in each round."""


@asynccontextmanager
async def bluetooth(
    part: BlePart, folder: Path, *, world: World, utc_s: Callable[[], float]
) -> AsyncIterator[tuple[str, Air, Table]]:
    """Run a bus and a BlueZ; give the bus's address, what can be switched, and the settings table."""
    seed = f"{world.seed}/{part.name}"
    uuid = str(UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16]))
    air = Air({"hci0": Adapter(address_of(seed, "hci0"))}, [])
    for room in part.rooms:
        air.transmitters.append(ruuvi_tag(room, address_of(seed, room), world=world, utc_s=utc_s))
    for number, tag in enumerate(part.tags, start=1):
        air.transmitters.append(asset_tag(uuid, number, address_of(seed, tag), utc_s=utc_s))
    table: Table = {
        "driver": "ble",
        "name": part.name,
        "zone": part.name,
        "sensor": [
            {"prefix": f"{room}/tag", "address": address_of(seed, room), "format": "ruuvi"}
            for room in part.rooms
        ],
        "tag": [
            {"name": tag, "uuid": uuid, "major": 1, "minor": number}
            for number, tag in enumerate(part.tags, start=1)
        ],
    }
    async with message_bus(folder) as address, bluetooth_service(air, address):
        yield address, air, table


def address_of(seed: str, name: str) -> str:
    """Return a static random address, always the same for the same seed and name."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return bytes([digest[0] | 0xC0, *digest[1:6]]).hex(":").upper()


def ruuvi_tag(room: str, address: str, *, world: World, utc_s: Callable[[], float]) -> Transmitter:
    """Return a tag that measures the air of a room."""

    def advert() -> adverts.Advert:
        now_s = utc_s()
        values = world.air(room, now_s)
        return adverts.ruuvi(
            int(now_s / INTERVAL_S),
            celsius=values.value("temperature"),
            percent=values.value("relative_humidity"),
            pascal=round(100 * values.value("pressure")),
            mac=address,
        )

    return Transmitter(address, advert, INTERVAL_S, random=True)


def asset_tag(uuid: str, number: int, address: str, *, utc_s: Callable[[], float]) -> Transmitter:
    """Return a tag that is away for a while in each round, each at another time."""
    beacon = adverts.ibeacon(uuid, 1, number)

    def advert() -> adverts.Advert | None:
        return beacon if (utc_s() + number * AWAY_S) % ROUND_S >= AWAY_S else None

    return Transmitter(address, advert, 1.0, rssi=-58 - number, random=True)
