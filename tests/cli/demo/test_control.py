"""What the demo's gateways control is what they accept, and names what they have."""

import tomllib
from pathlib import Path

import pytest

from cli.demo import control
from cli.demo.files import gateway_settings
from cli.demo.zones import PORTALS, ZONES
from simulators.devices.building import gpio_table
from simulators.scenario import load_scenario, modbus_table
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings


def devices(place: int) -> list[dict[str, object]]:
    gateway = load_scenario("demo").gateway[place]
    tables = [
        modbus_table(part, Path("/dev/line") if part.rtu else 5020 + number)
        for number, part in enumerate(gateway.modbus)
    ]
    tables += [gpio_table(part) for part in gateway.gpio]
    tables += [
        {
            "driver": "osdp",
            "name": part.name,
            "prefix": part.prefix,
            "path": "/dev/osdp",
            "reader": [{"name": name, "address": at} for at, name in enumerate(part.readers, start=1)],
        }
        for part in gateway.osdp
    ]
    return [dict(table) for table in tables]


@pytest.mark.parametrize(("place", "name"), list(enumerate(control.SECTIONS)))
def test_sections_are_accepted_by_the_gateway(place: int, name: str) -> None:
    text = gateway_settings(
        name,
        devices(place),
        data=Path("/d"),
        identity=Path("/i"),
        uplink_port=8883,
        control=control.tables_of(name),
    )
    settings, faults = check(tomllib.loads(text), GatewaySettings)
    assert faults == []
    assert settings is not None
    assert [one.name for one in settings.interlock] == [
        table["name"] for table in control.SECTIONS[name]["interlock"]
    ]


@pytest.mark.parametrize("name", list(control.SECTIONS))
def test_zones_portals_and_outputs_are_those_of_the_site(name: str) -> None:
    zones = {zone["name"] for zone in ZONES[name]}
    portals = {portal["name"] for portal in PORTALS[name]}
    gateway = next(one for one in load_scenario("demo").gateway if one.id == name)
    outputs = {f"{part.prefix}/{relay}" for part in gateway.gpio for relay in part.relays}
    known = {"hold_work": zones, "lock_entry": portals, "inhibit_output": outputs, "isolate_power": outputs}
    for heading, table in control.tables_of(name):
        if heading == "[[interlock]]":
            effects = table["effect"]
            assert isinstance(effects, list)
            assert all(effect["target"] in known[effect["kind"]] for effect in effects)
        if heading == "[[portal]]":
            assert table["name"] in portals
