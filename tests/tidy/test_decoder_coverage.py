"""Decoders are tested to the last branch, by tests of their own.

A decoder is pure: bytes or text in, values out. Its tests need no device and no service, so that the whole
check takes seconds. Property tests run with a fixed seed here: what they cover must not depend on chance.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DECODERS = (
    "edge/drivers/exact.py",
    "edge/drivers/*/decode.py",
    "edge/drivers/*/frames.py",
    "edge/drivers/*/modem.py",
    "edge/drivers/*/*_soap.py",
    "wire/*.py",
)
TESTS = (
    "tests/edge/drivers/test_exact.py",
    "tests/edge/drivers/*/test_decode.py",
    "tests/edge/drivers/*/test_frames.py",
    "tests/edge/drivers/*/test_modem.py",
    "tests/edge/drivers/*/test_*_soap.py",
    "tests/wire/test_*.py",
)


def _found(root: Path, patterns: tuple[str, ...]) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern))


def _run(root: Path, *words: str) -> None:
    command = [sys.executable, "-m", "coverage", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def uncovered(report: dict[str, Any], decoders: list[str]) -> list[str]:
    """Return `file:line` of each line that never ran, and `file:line->line` of each branch never taken."""
    found: list[str] = []
    for name in decoders:
        measured = report["files"].get(name)
        if measured is None:
            found.append(f"{name}: no test of a decoder imports it")
            continue
        found += [f"{name}:{line}" for line in measured["missing_lines"]]
        found += [f"{name}:{start}->{end}" for start, end in measured["missing_branches"]]
    return found


@pytest.mark.slow
@pytest.mark.timeout(660)
def test_decoders_are_covered_to_the_last_branch_by_their_own_tests(root: Path, tmp_path: Path) -> None:
    decoders, data = _found(root, DECODERS), f"--data-file={tmp_path / 'data'}"
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *_found(root, TESTS)]
    _run(root, "run", "--branch", data, f"--include={','.join(decoders)}", *tests)
    _run(root, "json", "-q", data, "-o", str(tmp_path / "report.json"))
    assert uncovered(json.loads((tmp_path / "report.json").read_text("utf-8")), decoders) == []


def test_what_was_not_covered_is_named() -> None:
    measured = {"missing_lines": [7], "missing_branches": [[5, 9], [5, -1]]}
    report = {"files": {"edge/a.py": measured, "edge/b.py": {"missing_lines": [], "missing_branches": []}}}
    assert uncovered(report, ["edge/a.py", "edge/b.py", "edge/c.py"]) == [
        "edge/a.py:7",
        "edge/a.py:5->9",
        "edge/a.py:5->-1",
        "edge/c.py: no test of a decoder imports it",
    ]


def test_every_driver_has_a_decoder_with_tests(root: Path) -> None:
    drivers = {path.parent.name for path in root.glob("edge/drivers/*/driver.py")}
    assert {path.parent.name for path in root.glob("edge/drivers/*/decode.py")} == drivers
    assert {path.parent.name for path in root.glob("tests/edge/drivers/*/test_decode.py")} == drivers
