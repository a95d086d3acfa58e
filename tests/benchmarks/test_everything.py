"""The benchmark of a gateway with every driver: it has every kind of device, and its figures are right."""

import asyncio
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks.everything import GATEWAY, WIEGAND, Memory, growth_mb, innermost, rss_mb, slope_mb_per_h
from cli.commands.bench import _gateway
from edge.assembly import KINDS
from edge.document import document_faults
from simulators.running import Clocks, running
from simulators.scenario import load_scenario
from wire.settings.gateway import read_settings


def memory(*values: float, every_s: float = 1.0) -> list[Memory]:
    return [Memory(place * every_s, value, 0.0) for place, value in enumerate(values)]


@pytest.mark.slow
def test_scenario_has_every_kind_of_device_there_is(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()

    async def offered() -> dict[str, Any]:
        clocks = Clocks(time.monotonic_ns, time.time)
        made = running(load_scenario(GATEWAY), seed=1, folder=tmp_path / "far", clocks=clocks)
        async with made as state:
            found: Any = state.gateways[GATEWAY]
            whole = found | {"device": [*found["device"], WIEGAND]}
            _gateway(tmp_path / GATEWAY, whole, identity=tmp_path, port=8883)
            return found

    asyncio.run(offered())
    file = tmp_path / GATEWAY / "settings.toml"
    settings, faults = read_settings(file, more=document_faults)
    assert faults == []
    assert settings is not None
    assert {table["driver"] for table in tomllib.loads(file.read_text("utf-8"))["device"]} == set(KINDS)
    for device in ("readers", "terminals", "posting"):
        assert list((tmp_path / GATEWAY / "data" / device).glob("*.key"))


def test_growth_is_of_the_last_third_over_the_first() -> None:
    assert growth_mb(memory(*[70.0] * 30, *[99.0] * 30, *[72.5] * 30)) == 2.5
    assert growth_mb(memory(*[70.0] * 30)) is None
    assert growth_mb([]) is None


def test_slope_is_of_the_straight_line_that_fits() -> None:
    assert slope_mb_per_h(memory(70.0, 70.5, 71.0, every_s=1800)) == pytest.approx(1.0)
    assert slope_mb_per_h(memory(70.0)) == 0.0


def test_program_that_took_a_picture_and_ended_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert rss_mb(ended.pid) == 0.0
    assert rss_mb(os.getpid()) > 1.0


def test_error_far_inside_of_groups_is_found() -> None:
    error = OSError("gone")
    groups: ExceptionGroup[Exception] = ExceptionGroup("1", [error])
    for depth in range(20):
        groups = ExceptionGroup(str(depth), [groups])
    assert innermost(groups) is error
