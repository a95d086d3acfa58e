"""A short campaign against the real system: nothing lost, doubled or unexplained, no process left behind."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from cli.faults.script import make_script

SEED = 4
KILLS = 4
PROMISED = {"kills", "seed", "given_out", "stored", "explained", "lost", "duplicated", "unexplained"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.requirement("G-3.6", "G-6.2c", "G-7.2b")
def test_short_campaign_accounts_for_every_reading(service_folder: Path) -> None:
    mark = secrets.token_hex(8)
    folder = service_folder / "campaign"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cli.main", "faults", "--json"),
            *("--kills", str(KILLS), "--seed", str(SEED), "--keep", str(folder)),
        ],
        env=os.environ | {"HENG_TEST_MARK": mark},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads(done.stdout)
    assert result.keys() >= PROMISED
    assert (result["lost"], result["duplicated"], result["unexplained"]) == (0, 0, 0)
    assert result["given_out"] == result["stored"] + result["explained"] > 1000
    assert (result["kills"], result["seed"]) == (KILLS, SEED)
    assert sum(result["faults"].values()) == len(make_script(KILLS, SEED, ("bench-1", "bench-2", "bench-3")))
    assert result["ended_by_themselves"] == {}
    assert [
        process for process in psutil.process_iter() if _environment(process).get("HENG_TEST_MARK") == mark
    ] == []


def _environment(process: psutil.Process) -> Mapping[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}
