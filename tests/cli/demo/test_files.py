"""What the demo writes is what gateway and site command read."""

import tomllib
from pathlib import Path

from cli.demo.files import gateway_settings, place_keys, site_file, write_unless_edited
from cloud.site_file import read_site_file
from simulators.scenario import load_scenario, modbus_table
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings

UPS = {"driver": "ups", "name": "power", "prefix": "power", "host": "127.0.0.1", "port": 3493}


def test_settings_of_simulated_devices_are_accepted_by_the_gateway() -> None:
    lab = load_scenario("demo").gateway[0]
    devices = [
        modbus_table(part, Path("/dev/line") if part.rtu else 5020 + number)
        for number, part in enumerate(lab.modbus)
    ]
    text = gateway_settings("lab-1", [*devices, UPS], data=Path("/d"), identity=Path("/i"), uplink_port=8883)
    settings, faults = check(tomllib.loads(text), GatewaySettings)
    assert faults == []
    assert settings is not None
    assert [device.name for device in settings.device] == ["room-1", "room-2", "plant", "power"]


def test_keys_are_placed_for_the_gateway_alone(tmp_path: Path) -> None:
    offered, home = tmp_path / "offered", tmp_path / "data" / "readers"
    offered.mkdir()
    (offered / "entrance.key").write_text("11\n")
    (offered / "line").write_text("no key")
    place_keys(offered, home)
    (offered / "entrance.key").write_text("22\n")
    place_keys(offered, home)
    assert [file.name for file in home.iterdir()] == ["entrance.key"]
    assert (home / "entrance.key").read_text() == "22\n"
    assert (home / "entrance.key").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_quotes_and_letters_of_any_language_survive() -> None:
    offered = {"van-1": {"title": 'Van "一号" \\', "kind": "vehicle", "latitude": 28.2, "longitude": 113}}
    read = tomllib.loads(site_file(offered))
    assert read["site"][0]["title"] == 'Van "一号" \\'
    assert read["gateway"] == [{"name": "van-1", "site": "van-1"}]


def test_zones_and_doors_name_devices_that_the_scenario_has(tmp_path: Path) -> None:
    scenario = load_scenario("demo")
    offered = {
        one.id: {"title": one.title, "kind": one.kind, "latitude": one.latitude, "longitude": one.longitude}
        for one in scenario.gateway
    }
    file = tmp_path / "site.toml"
    file.write_text(site_file(offered), encoding="utf-8")
    read, faults = read_site_file(file)
    assert faults == []
    assert read is not None
    assert [len(site.zone) for site in read.site] == [4, 1, 1]
    for site, gateway in zip(read.site, scenario.gateway, strict=True):
        cameras = {part.prefix for part in gateway.camera}
        readers = {f"{part.prefix or part.name}/{one}" for part in gateway.osdp for one in part.readers}
        readers |= {f"{part.name}/{one}" for part in gateway.terminal for one in part.terminals}
        doors = {f"{part.prefix or part.name}/{one}" for part in gateway.gpio for one in part.doors}
        assert {name for zone in site.zone for name in zone.cameras} == cameras
        named = {name for zone in site.zone for name in zone.readers}
        named |= {portal.reader_in for portal in site.portal if portal.reader_in}
        assert named == readers
        contacts = {portal.contact for portal in site.portal if portal.contact}
        assert contacts == {f"{door}/contact" for door in doors}


def test_file_that_nobody_edited_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    assert write_unless_edited(file, "a = 1\n") == ""
    assert write_unless_edited(file, "a = 2\n") == ""
    assert file.read_text() == "a = 2\n"


def test_edits_of_a_person_are_kept_and_told(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    write_unless_edited(file, "a = 1\n")
    file.write_text("a = 1\nmine = 3\n")
    assert "was edited and is kept" in write_unless_edited(file, "a = 1\n")
    assert "compare settings.toml.new" in write_unless_edited(file, "a = 2\n")
    assert file.read_text() == "a = 1\nmine = 3\n"
    assert (tmp_path / "settings.toml.new").read_text() == "a = 2\n"
    file.unlink()
    assert write_unless_edited(file, "a = 2\n") == ""
    assert file.read_text() == "a = 2\n"


def test_file_of_unknown_origin_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("a = 0\n")
    assert "may have been edited" in write_unless_edited(file, "a = 1\n")
    assert (tmp_path / "settings.toml.before").read_text() == "a = 0\n"
    assert file.read_text() == "a = 1\n"


def test_only_a_gateway_with_a_camera_is_told_where_its_pictures_go() -> None:
    camera = {
        "driver": "camera",
        "name": "camera",
        "prefix": "room-1/camera",
        "url": "rtsp://127.0.0.1:9/live",
    }
    places = {"data": Path("/d"), "identity": Path("/i")}
    text = gateway_settings("lab-1", [camera], **places, uplink_port=8883, media_port=9000)
    assert tomllib.loads(text)["media"] == {"url": "https://127.0.0.1:9000"}
    assert "media" not in tomllib.loads(
        gateway_settings("lab-1", [UPS], **places, uplink_port=8883, media_port=9000)
    )
