"""The demo's devices around the gateways of a campaign: their answers are read on, their settings fit."""

import json
import tomllib
from pathlib import Path

from cli.faults.around import SCENARIO, Answers, Around
from edge.drivers.network.budget import Spending, pace_of
from edge.journal.sieve import FULL
from simulators.devices.network import RECEIVED_PER_S, SENT_PER_S
from simulators.scenario import load_scenario
from wire.settings.check import check
from wire.settings.gateway import GatewaySettings
from wire.settings.network import DataBudget, NetworkDevice

REGISTERS = list(range(14))


def _line(unit: str, reads: int) -> str:
    return json.dumps({"unit": unit, "reads": reads, "registers": REGISTERS, "utc_ms": 1000 * reads}) + "\n"


def test_answers_are_read_on_and_half_a_line_waits(tmp_path: Path) -> None:
    log = tmp_path / "line.jsonl"
    whole = _line("a/b/2", 2)
    log.write_text(_line("a/b/2", 1) + _line("a/b/1", 7) + whole[:20])
    answers = Answers(log, "a/b/2")
    assert answers.given_out() == {1: 1.0}
    log.write_text(_line("a/b/2", 1) + _line("a/b/1", 7) + whole)
    assert answers.given_out() == {1: 1.0, 2: 2.0}
    assert answers.values()[2][:4] == [(0, 1), (2, 3), (4, 5), (6,)]


def test_settings_are_as_quick_as_the_campaigns_own_and_fit_a_small_disk(tmp_path: Path) -> None:
    unit = {"address": 1, "profile": "xy-md02", "prefix": "room/air"}
    line = {"driver": "modbus", "name": "room", "host": "127.0.0.1", "port": 502, "unit": [unit]}
    camera = {"driver": "camera", "name": "camera", "prefix": "camera", "url": "rtsp://127.0.0.1:554/live"}
    (tmp_path / "offered").mkdir()
    (tmp_path / "offered" / "door.key").write_text("00\n")
    uplink = {"driver": "network", "name": "uplink", "budget": {"day_bytes": 600_000}}
    keys = {"readers": str(tmp_path / "offered")}
    around = Around({"device": [line, camera, uplink], "environment": {"A": "1"}, "keys": keys}, [])
    text = '[gateway]\nid = "x"\n[uplink]\nhost = "h"\n' + around.settings()
    settings, faults = check(tomllib.loads(text), GatewaySettings)
    assert settings is not None, faults
    assert [getattr(one, "interval_ms", None) for one in settings.device] == [200, None, 10_000]
    assert [getattr(one, "recording_bytes_max", None) for one in settings.device] == [
        *(None, 10_000_000, None)
    ]
    assert [one.budget for one in settings.device if isinstance(one, NetworkDevice)] == [
        DataBudget(day_bytes=600_000)
    ]
    around.place_keys(tmp_path / "data")
    assert (tmp_path / "data" / "readers" / "door.key").exists()
    assert around.environment == {"A": "1"}


def test_what_waits_at_the_vehicle_of_a_campaign_may_go_at_any_hour_of_its_day() -> None:
    scenario = load_scenario(SCENARIO)
    budgets = [
        part.day_bytes
        for gateway in scenario.gateway
        for part in gateway.network
        if part.day_bytes is not None
    ]
    assert budgets
    for budget in budgets:
        for passed_s in range(0, 86_400, 60):  # who began later than at midnight has spent less
            spent = (SENT_PER_S + RECEIVED_PER_S) * passed_s
            assert pace_of(Spending(budget, spent, passed_s, 86_400), thinned=False) == FULL
