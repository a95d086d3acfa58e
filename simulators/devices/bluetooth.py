"""A Bluetooth radio of a scenario: RuuviTags that measure rooms; asset tags and badges that come and go."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

from simulators.devices import adverts
from simulators.devices.bluez import Adapter, Air, Transmitter, bluetooth_service, message_bus
from simulators.scenario import BlePart, Table

BUS = "DBUS_SYSTEM_BUS_ADDRESS"
"""The environment variable by which programs find this D-Bus instead of the machine's."""
INTERVAL_S = 1.285
"""How often a RuuviTag measures and advertises."""
ROUND_S = 600
AWAY_S = 120
"""A tag is away for so long in each round."""
PRESENCE: Table = {"enter_s": 1, "leave_s": 5, "period_ms": 5000}
"""Quicker than usual, so that who takes a tag away sees at once that it is gone."""
Truth = Callable[[str], float]
Whereabouts = Literal["by itself", "here", "away"]


class Tag:
    """An asset tag or a badge. It comes and goes by itself, each in its own time, until somebody moves it."""

    def __init__(self, beacon: adverts.Advert, *, number: int, utc_s: Callable[[], float]) -> None:
        self.where: Whereabouts = "by itself"
        self._beacon = beacon
        self._number = number
        self._utc_s = utc_s

    def advert(self) -> adverts.Advert | None:
        """Return what it sends now; None while it is away."""
        if self.where == "by itself":
            here = (self._utc_s() + self._number * AWAY_S) % ROUND_S >= AWAY_S
        else:
            here = self.where == "here"
        return self._beacon if here else None


@asynccontextmanager
async def bluetooth(
    part: BlePart,
    folder: Path,
    *,
    seed: str,
    truth: Callable[[str], Truth],
    utc_s: Callable[[], float],
) -> AsyncIterator[tuple[str, Air, dict[str, Tag], Table]]:
    """Run a bus and a BlueZ; give the bus's address, what can be switched, the tags, and the settings table.

    `truth` gives for a room what its values are.
    """
    uuid = str(UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16]))
    air = Air({"hci0": Adapter(address_of(seed, "hci0"))}, [])
    for room in part.rooms:
        air.transmitters.append(ruuvi_tag(address_of(seed, room), truth=truth(room), utc_s=utc_s))
    tags: dict[str, Tag] = {}
    for number, name in enumerate([*part.tags, *part.badges], start=1):
        tags[name] = Tag(adverts.ibeacon(uuid, 1, number), number=number, utc_s=utc_s)
        address = address_of(seed, name)
        air.transmitters.append(Transmitter(address, tags[name].advert, rssi=-58 - number, random=True))
    table = _table(part, seed, uuid)
    async with message_bus(folder) as bus, bluetooth_service(air, bus):
        yield bus, air, tags, table


def _table(part: BlePart, seed: str, uuid: str) -> Table:
    zone = part.zone or part.name
    table: Table = {
        "driver": "ble",
        "name": part.name,
        "zone": zone,
        "sensor": [
            {"prefix": f"{room}/tag", "address": address_of(seed, room), "format": "ruuvi"}
            for room in part.rooms
        ],
        "tag": [
            {
                "name": f"{zone}/{name}",
                "kind": "asset" if name in part.tags else "badge",
                "uuid": uuid,
                "major": 1,
                "minor": number,
            }
            for number, name in enumerate([*part.tags, *part.badges], start=1)
        ],
    }
    return {**table, "presence": PRESENCE} if table["tag"] else table


def address_of(seed: str, name: str) -> str:
    """Return a static random address, always the same for the same seed and name."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return bytes([digest[0] | 0xC0, *digest[1:6]]).hex(":").upper()


def ruuvi_tag(address: str, *, truth: Truth, utc_s: Callable[[], float]) -> Transmitter:
    """Return a tag that measures the air of a room."""

    def advert() -> adverts.Advert:
        return adverts.ruuvi(
            int(utc_s() / INTERVAL_S),
            celsius=truth("temperature"),
            percent=truth("relative_humidity"),
            pascal=round(100 * truth("pressure")),
            mac=address,
        )

    return Transmitter(address, advert, INTERVAL_S, random=True)
