"""Zones and portals: declared, changed, retired and back again; never deleted."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from cloud.store.connection import Connection
from cloud.store.zones import Zone, list_zones
from cloud.store.zones_write import PortalRow, ZoneRow, declare_zones


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def run(self, ask: Callable[[Connection], Awaitable[Any]]) -> Any: ...


ROOM = ZoneRow("room-1", "Room 1", "room", ["room-1"], ["cam"], [])
STORE = ZoneRow("store", "Store", "cabinet", ["store/air"], [], [])
DOOR = PortalRow("door", "Door", "door", None, "room-1", "door/in", None, "door/contact", None)
INNER = PortalRow("inner", "Inner", "hatch", "room-1", "store", None, None, None, None)


def declared(lab: Lab, zones: list[ZoneRow], portals: list[PortalRow]) -> list[str]:
    return lab.run(lambda c: declare_zones(c, 1, 1, zones=zones, portals=portals))  # type: ignore[no-any-return]


def known(lab: Lab, *, retired: bool = False) -> list[Zone]:
    return lab.run(lambda c: list_zones(c, site_id=1, retired=retired))  # type: ignore[no-any-return]


def test_zones_and_portals_are_declared_changed_retired_and_back(lab: Lab) -> None:
    assert declared(lab, [ROOM, STORE], [DOOR, INNER]) == [
        "zone room-1",
        "zone store",
        "portal door",
        "portal inner",
    ]
    assert declared(lab, [ROOM, STORE], [DOOR, INNER]) == []
    room, store = known(lab)
    assert (room.covers, room.cameras, room.retired_at) == (["room-1"], ["cam"], None)
    assert [portal.name for portal in room.portals] == ["door", "inner"]
    assert (store.portals[0].from_zone, store.portals[0].to_zone) == ("room-1", "store")
    assert (room.portals[0].from_zone, room.portals[0].contact) == (None, "door/contact")

    assert declared(lab, [ROOM], [DOOR]) == ["portal inner is retired", "zone store is retired"]
    assert [zone.name for zone in known(lab)] == ["room-1"]
    assert [portal.name for portal in known(lab)[0].portals] == ["door"]
    gone = known(lab, retired=True)[1]
    assert (gone.name, gone.retired_at is not None) == ("store", True)

    assert declared(lab, [ROOM, STORE], [DOOR]) == ["zone store"]
    again = known(lab)
    assert [(zone.id, zone.retired_at) for zone in again] == [(room.id, None), (store.id, None)]
