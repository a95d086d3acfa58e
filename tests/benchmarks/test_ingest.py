"""The benchmark runs end to end on real services, checks what was stored, and prints the agreed keys."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(660)]


def test_short_run_stores_everything_and_prints_the_agreed_keys():
    command = ["bench", "ingest", "--batch", "20", "--scale", "0.02", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *command], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"results", "copy_per_s"}
    [result] = answer["results"]
    assert set(result) == {"batch", "readings_per_s", "ratio", "cpu_hub", "cpu_broker", "cpu_database"}
    assert result["batch"] == 20
    assert result["readings_per_s"] > 0
    assert answer["copy_per_s"] > 0


def test_slow_fsync_without_a_compiler_is_refused_before_anything_starts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "bench", "ingest", "--fsync-delay-ms", "5"],
        env={"PATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    [told] = done.stderr.splitlines()
    assert told.startswith("heng bench: --fsync-delay-ms: 5: expected a C compiler on PATH, gcc or cc")
    assert list(tmp_path.iterdir()) == []
