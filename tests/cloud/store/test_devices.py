"""What a gateway says it speaks to, kept in event time: nothing that was there is forgotten."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest

from cloud.store.connection import Connection
from cloud.store.devices import keep_devices
from cloud.store.directory import GatewayRow
from wire.messages import DeviceDeclaration, PartDeclaration, PointDeclaration

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
NUMBERS = count(1)


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def run(self, ask: Callable[[Connection], Awaitable[Any]]) -> Any: ...


def device(name: str, driver: str = "modbus", *parts: PartDeclaration) -> DeviceDeclaration:
    return DeviceDeclaration(name=name, driver=driver, parts=list(parts))


def point(name: str, device_name: str) -> PointDeclaration:
    return PointDeclaration(name=name, quantity="temperature", device=device_name)


class Told:
    """A gateway of its own, which declares."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        name = f"told-{next(NUMBERS)}"
        ((number,),) = lab.execute(
            "INSERT INTO gateways (organisation_id, name) VALUES (1, %s) RETURNING id", name
        )
        self.row = GatewayRow(number, 1, name)

    def __call__(
        self,
        *devices: DeviceDeclaration,
        points: tuple[PointDeclaration, ...] = (),
        since: datetime | None = None,
    ) -> None:
        since_ms = None if since is None else int(since.timestamp() * 1000)

        async def declare(connection: Connection) -> None:
            async with connection.transaction():
                await keep_devices(connection, self.row, devices, points, since_ms=since_ms)

        self._lab.run(declare)

    def rows(self) -> list[tuple[Any, ...]]:
        return self._lab.execute(
            "SELECT name, driver, channels, lower(valid), upper(valid) FROM devices"
            " WHERE gateway_id = %s ORDER BY id",
            self.row.id,
        )


@pytest.fixture
def told(lab: Lab) -> Told:
    return Told(lab)


def test_what_is_declared_first_holds_from_the_beginning_with_its_channels(told: Told) -> None:
    fed = (point("room/a", "bus"), point("room/b", "bus"), point("ups/power", "ups"))
    told(device("bus"), device("ups", "ups"), points=fed, since=EARLY)
    assert told.rows() == [
        ("bus", "modbus", ["room/a", "room/b"], None, None),
        ("ups", "ups", ["ups/power"], None, None),
    ]


def test_declaring_the_same_again_changes_nothing(told: Told) -> None:
    told(device("bus"))
    told(device("bus"), since=LATER)
    assert told.rows() == [("bus", "modbus", [], None, None)]


def test_device_that_is_gone_ends_when_the_gateway_says_and_a_new_one_begins_there(told: Told) -> None:
    told(device("bus"))
    told(device("ups", "ups"), since=LATER)
    assert told.rows() == [("bus", "modbus", [], None, LATER), ("ups", "ups", [], LATER, None)]


def test_changed_device_goes_on_as_another_row(told: Told) -> None:
    told(device("bus"))
    told(device("bus"), points=(point("a", "bus"),), since=EARLY)
    told(
        device("bus", "modbus-rtu", PartDeclaration(name="a", kind="unit")),
        points=(point("a", "bus"),),
        since=LATER,
    )
    assert told.rows() == [
        ("bus", "modbus", [], None, EARLY),
        ("bus", "modbus", ["a"], EARLY, LATER),
        ("bus", "modbus-rtu", ["a"], LATER, None),
    ]


def test_clock_that_went_back_leaves_no_overlap_and_no_hole(told: Told) -> None:
    told(device("bus"))
    told(device("bus", "ups"), since=LATER)
    told(device("bus", "gnss"), since=EARLY)
    names = [(driver, lower, upper) for _, driver, _, lower, upper in told.rows()]
    assert names == [("modbus", None, LATER), ("ups", None, None), ("gnss", LATER, None)]


def test_change_of_the_future_holds_from_now_at_the_latest(told: Told) -> None:
    told(device("bus"))
    told(device("ups", "ups"), since=datetime(2199, 1, 1, tzinfo=UTC))
    ended, begun = told.rows()
    assert ended[4] == begun[3] < datetime(2198, 1, 1, tzinfo=UTC)


def test_older_gateway_that_names_no_devices_has_those_of_its_points(told: Told) -> None:
    told(points=(point("room/a", "bus"), point("lonely", "")))
    assert told.rows() == [("bus", "unknown", ["room/a"], None, None)]
    told(device("bus"), points=(point("room/a", "bus"),), since=LATER)
    assert [row[1] for row in told.rows()] == ["unknown", "modbus"]
