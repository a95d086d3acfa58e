"""Settings of the basemap: every fault at once, and a policy that lets exactly the tiles in."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from cloud.settings import SettingsError
from cloud.web.assets import content_security_policy, mount_assets
from cloud.web.settings import Tiles, WebSettings, read_settings

TIANDITU = (
    "https://t0.tianditu.gov.cn/vec_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER=vec&STYLE=default"
    "&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
)


def test_no_tiles_by_default() -> None:
    settings = read_settings({})
    assert settings.tiles == Tiles()
    assert "http" not in content_security_policy(settings.tiles)


def test_key_goes_into_the_address() -> None:
    settings = read_settings(
        {"HENG_TILE_URL": TIANDITU, "HENG_TILE_KEY": "abc", "HENG_TILE_ATTRIBUTION": "天地图"}
    )
    assert settings.tiles.urls == (TIANDITU.replace("{key}", "abc"),)
    assert settings.tiles.kind == "wgs84"
    assert settings.tiles.origins == ("https://t0.tianditu.gov.cn",)


def test_layers_are_drawn_one_above_the_other() -> None:
    both = f"{TIANDITU} {TIANDITU.replace('vec', 'cva')}"
    assert len(read_settings({"HENG_TILE_URL": both, "HENG_TILE_KEY": "k"}).tiles.urls) == 2


def test_every_fault_is_named() -> None:
    with pytest.raises(SettingsError) as error:
        read_settings(
            {"HENG_TILE_URL": "ftp://tiles/{z}/{x} https://a/{z}/{x}/{y}?k={key}", "HENG_TILE_KIND": "bd09"}
        )
    faults = error.value.faults
    assert len(faults) == 4
    assert any("http or https" in fault for fault in faults)
    assert any("{y}" in fault for fault in faults)
    assert any(fault.startswith("HENG_TILE_KEY") for fault in faults)
    assert any(fault.startswith("HENG_TILE_KIND") for fault in faults)


def test_policy_cannot_be_widened_through_the_address() -> None:
    with pytest.raises(SettingsError):
        read_settings({"HENG_TILE_URL": "https://a;script-src/{z}/{x}/{y}"})


def test_policy_lets_pictures_of_the_tiles_in_and_no_script() -> None:
    policy = content_security_policy(Tiles(("https://tiles.example:8443/{z}/{x}/{y}.png",)))
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'self'"
    assert parts["img-src"] == "'self' data: https://tiles.example:8443"
    assert "script-src" not in parts
    assert "unsafe" not in policy


def test_missing_library_is_named_with_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="make setup"):
        mount_assets(FastAPI(), WebSettings(libraries=tmp_path))
