"""What the demo writes is what gateway and site command read."""

import tomllib
from pathlib import Path

from cli.demo.files import gateway_settings, site_file
from simulators.scenario import load_scenario, modbus_table
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings

UPS = {"driver": "ups", "name": "power", "prefix": "power", "host": "127.0.0.1", "port": 3493}


def test_settings_of_simulated_devices_are_accepted_by_the_gateway() -> None:
    lab = load_scenario("demo").gateway[0]
    devices = [modbus_table(part, 5020 + number) for number, part in enumerate(lab.modbus)]
    text = gateway_settings("lab-1", [*devices, UPS], data=Path("/d"), identity=Path("/i"), uplink_port=8883)
    settings, faults = check(tomllib.loads(text), GatewaySettings)
    assert faults == []
    assert settings is not None
    assert [device.name for device in settings.device] == ["room-1", "room-2", "power"]


def test_quotes_and_letters_of_any_language_survive() -> None:
    offered = {"van-1": {"title": 'Van "一号" \\', "kind": "vehicle", "latitude": 28.2, "longitude": 113}}
    read = tomllib.loads(site_file(offered))
    assert read["site"][0]["title"] == 'Van "一号" \\'
    assert read["gateway"] == [{"name": "van-1", "site": "van-1"}]
