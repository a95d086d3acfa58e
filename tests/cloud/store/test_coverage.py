"""Devices, candidates and coverage as read from the tables."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from cloud.store.candidates import Candidate, list_candidates
from cloud.store.connection import Connection
from cloud.store.coverage import ZoneCoverage, list_coverage
from cloud.store.devices_read import Device, list_devices
from cloud.store.gateway_health import gateway_health
from cloud.store.zones_write import PortalRow, ZoneRow, declare_zones

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(seconds=60)


class Lab(Protocol):
    def point(self, *, kind: str = ..., period_ms: int | None = ...) -> int: ...
    def every_second(self, point: int, counts: Sequence[int], *, start: datetime = ...) -> None: ...
    def gap(self, point: int, cause: str, from_at: datetime | None, to_at: datetime | None) -> None: ...
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def run(self, ask: Callable[[Connection], Awaitable[Any]]) -> Any: ...


@pytest.fixture(scope="module")
def house(lab: Lab) -> Lab:
    """Two rooms; a camera and a temperature that work, a reader whose session is lost, an old unit."""
    lab.execute("UPDATE gateways SET online = true, online_since = %s, last_batch_at = %s", START, NOW)
    names = (
        ("room-1/air/temperature", "temperature", "analog", "{}"),
        ("room-1/air/humidity", "relative_humidity", "analog", "{}"),
        ("cam-1/frame_rate", "frequency", "analog", "{}"),
        ("door/in/link", "state", "state", '{"0": "lost", "1": "secure"}'),
        ("gpio/door", "state", "state", '{"0": "closed", "1": "open"}'),
        ("gpio/fan", "state", "state", '{"0": "off", "1": "on"}'),
        ("room-10/air/temperature", "temperature", "analog", "{}"),
        ("badge-1/presence", "state", "state", '{"0": "away", "1": "here"}'),
        ("lab-2/desk/occupancy", "state", "state", '{"0": "clear", "1": "detected"}'),
    )
    for name, quantity, kind, states in names:
        point = lab.point(kind=kind)
        lab.execute(
            "UPDATE points SET name = %s, quantity = %s, states = %s::jsonb WHERE id = %s",
            *(name, quantity, states, point),
        )
        lab.execute("UPDATE channel_bindings SET channel = %s WHERE point_id = %s", name, point)
        if name in ("door/in/link", "gpio/fan"):
            lab.execute("UPDATE point_versions SET exponent = 0 WHERE point_id = %s", point)
        if name != "room-1/air/humidity":
            lab.every_second(point, [int(name == "gpio/fan")] * 60)
        else:
            lab.every_second(point, [5000] * 5)
            lab.gap(point, "sensor", START + timedelta(seconds=5), None)
    devices: tuple[tuple[str, str, list[str], list[tuple[str, str, str]]], ...] = (
        (
            "air",
            "modbus-rtu",
            ["room-1/air/temperature", "room-1/air/humidity"],
            [("room-1", "unit", "air/1")],
        ),
        ("cam-1", "camera", ["cam-1/frame_rate"], [("cam-1", "camera", "")]),
        ("line", "osdp", ["door/in/link"], [("door/in", "reader", "")]),
        (
            "gpio",
            "gpio",
            ["gpio/door", "gpio/fan"],
            [("gpio/door", "door_contact", ""), ("gpio/fan", "relay", "")],
        ),
        ("radio", "ble", ["badge-1/presence"], [("badge-1", "badge", "")]),
        ("gate", "wiegand", [], [("gate", "reader", "")]),
    )
    for name, driver, channels, parts in devices:
        told = [
            {"name": part, "kind": kind, "address": address, **({"rest": "off"} if kind == "relay" else {})}
            for part, kind, address in parts
        ]
        lab.execute(
            "INSERT INTO devices (organisation_id, gateway_id, name, driver, channels, parts, valid)"
            " VALUES (1, 1, %s, %s, %s, %s::jsonb, tstzrange(%s, NULL))",
            *(name, driver, channels, json.dumps(told), START if name == "radio" else None),
        )
    lab.execute(
        "INSERT INTO devices (organisation_id, gateway_id, name, driver, valid)"
        " VALUES (1, 1, 'gone', 'ups', tstzrange(NULL, %s))",
        START,
    )
    zones = [
        ZoneRow("room-1", "Room 1", "room", ["room-1"], ["cam-1", "cam-9"], []),
        ZoneRow("store", "Store", "cabinet", ["store"], [], []),
        ZoneRow("lab-2", "Laboratory 2", "room", ["lab-2"], [], ["radio"]),
        ZoneRow("yard", "Yard", "room", [], [], ["gate"]),
    ]
    door = PortalRow("door", "Door", "door", None, "room-1", "door/in", None, "gpio/door", None)
    lab.run(lambda c: declare_zones(c, 1, 1, zones=zones, portals=[door]))
    return lab


def devices_of(lab: Lab) -> dict[str, Device]:
    return {one.name: one for one in lab.run(lambda c: list_devices(c, now=NOW))}


def test_device_works_is_partly_silent_or_cannot_be_judged(house: Lab) -> None:
    found = devices_of(house)
    states = {name: one.state for name, one in found.items()}
    assert states == {
        "air": "partly",
        "cam-1": "working",
        "line": "silent",
        "gpio": "working",
        "radio": "working",
        "gate": "unmonitored",
    }
    air = found["air"]
    assert (air.cause, air.since_at, air.silent) == ("sensor", START + timedelta(seconds=5), 1)
    assert (len(air.points), air.last_seen_at) == (2, START + timedelta(seconds=59))
    assert (found["line"].parts[0].state, found["line"].parts[0].cause) == ("silent", "session_lost")


def test_output_that_was_left_on_is_a_remark_of_its_part(house: Lab) -> None:
    contact, fan = devices_of(house)["gpio"].parts
    assert (contact.left, fan.left, fan.state) == (None, "on", "working")
    house.execute("UPDATE devices SET parts = jsonb_set(parts, '{1,rest}', '\"on\"') WHERE name = 'gpio'")
    assert devices_of(house)["gpio"].parts[1].left is None


def test_device_without_points_is_seen_by_its_events(house: Lab) -> None:
    at = START + timedelta(seconds=30)
    house.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject)"
        " VALUES (1, 1, 1, %s, 'reader_line_idle', 'gate')",
        at,
    )
    assert devices_of(house)["gate"].last_seen_at == at


@pytest.mark.requirement("G-6.4d", "G-6.9c2")
def test_zone_says_what_watches_it_and_what_it_lacks(house: Lab) -> None:
    covered: list[ZoneCoverage] = house.run(lambda c: list_coverage(c, now=NOW))
    room, store, other, yard = covered
    cells = {cell.what: (cell.state, [one.name for one in cell.by]) for cell in room.cells}
    assert cells == {
        "camera": ("partly", ["cam-1", "cam-9"]),
        "temperature": ("live", ["room-1/air/temperature"]),
        "humidity": ("silent", ["room-1/air/humidity"]),
        "pressure": ("none", []),
        "other": ("none", []),
        "contact": ("live", ["gpio/door"]),
        "reader": ("silent", ["door/in"]),
        "presence": ("none", []),
    }
    assert [one.state for one in room.cells[0].by] == ["live", "missing"]
    assert (room.lacks, store.lacks) == ([], ["camera", "sensor", "reader"])
    told = {cell.what: (cell.state, [one.name for one in cell.by]) for cell in other.cells}
    assert told["presence"] == ("live", ["lab-2/desk/occupancy", "radio"])
    assert told["reader"] == ("none", [])
    assert other.lacks == ["camera", "sensor"], "who tells presence is as good as a reader"
    cannot = {cell.what: cell.state for cell in yard.cells}
    assert cannot["reader"] == "unmonitored", "what cannot be judged is not silent"


def candidate(lab: Lab, device: str, subject: str, at: datetime, **data: object) -> None:
    lab.execute(
        "INSERT INTO events (organisation_id, gateway_id, site_id, observed_at, kind, subject, data)"
        " VALUES (1, 1, 1, %s, 'candidate_seen', %s, %s::jsonb)",
        *(at, subject, json.dumps({"device": device, **data})),
    )


def test_candidates_are_what_was_told_lately_and_is_not_configured(house: Lab) -> None:
    day = timedelta(days=1)
    candidate(house, "air", "air/7", NOW - day, kind="modbus_unit", address=7)
    candidate(house, "air", "air/7", NOW, kind="modbus_unit", address=7)
    candidate(house, "air", "air/1", NOW)  # configured meanwhile
    candidate(house, "air", "air/9", NOW - 3 * day)  # gone for long
    candidate(house, "radio", "AA:00:00:00:00:01", START + timedelta(seconds=1), format="ruuvi", rssi=-70)
    candidate(house, "gone", "x", NOW)  # seen by a device that is no more
    found: list[Candidate] = house.run(lambda c: list_candidates(c, now=NOW))
    assert [(one.device, one.driver, one.address) for one in found] == [
        ("air", "modbus-rtu", "air/7"),
        ("radio", "ble", "AA:00:00:00:00:01"),
    ]
    assert (found[0].first_seen_at, found[0].last_seen_at) == (NOW - day, NOW)
    assert found[1].data == {"format": "ruuvi", "rssi": -70}
    assert house.run(lambda c: list_candidates(c, now=NOW, offset=1)) == found[1:]
    left: list[Candidate] = house.run(lambda c: list_candidates(c, now=NOW, left=True))
    assert [(one.device, one.address, one.last_seen_at) for one in left] == [("air", "air/9", NOW - 3 * day)]


def test_health_is_that_of_the_newest_batch_with_what_is_missing_before_it(house: Lab) -> None:
    assert house.run(lambda c: gateway_health(c, [1])) == {}
    house.execute(
        "INSERT INTO ledger (gateway_id, organisation_id, epoch, received, last_at)"
        " VALUES (1, 1, decode(repeat('ab', 16), 'hex'), '{[1,4),[6,9)}', %s)",
        NOW,
    )
    house.execute(
        "INSERT INTO batches (organisation_id, gateway_id, epoch, seq, hash, previous, key_id, signature,"
        " boot, clock_state, clock_source, bound_ms, state, readings, last_at, received_at)"
        " VALUES (1, 1, decode(repeat('ab', 16), 'hex'), 8, '', '', '', '', '', 'holdover', 'gnss', 40,"
        " 'placed', 3, %s, %s)",
        *(START, NOW),
    )
    house.execute(
        "INSERT INTO tombstones VALUES (1, 1, decode(repeat('ab', 16), 'hex'), 4, '', 'full')",
    )
    (health,) = house.run(lambda c: gateway_health(c, [1])).values()
    assert (health.clock_state, health.bound_ms, health.clock_source) == ("holdover", 40, "gnss")
    assert (health.newest_at, health.received_at) == (START, NOW)
    assert (health.missing, health.waiting) == (1, 0)
