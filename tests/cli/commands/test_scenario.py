"""A scenario needs a demo that runs, and says so."""

from pathlib import Path

import pytest

from cli.demo.running import NotRunningError, find, forget, tell
from cli.main import main


def test_scenario_without_a_demo_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "ramp", "--data", str(tmp_path)]) == 2
    assert "no demo runs" in capsys.readouterr().err


def test_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["scenario", "earthquake"])
    assert ended.value.code == 2
    assert "ramp" in capsys.readouterr().err


def test_running_demo_is_found_by_its_folder_until_it_ends(tmp_path: Path) -> None:
    tell(tmp_path, 8080, {"hub": 17, "broker": None})
    found = find(tmp_path)
    assert (found.port, dict(found.parts)) == (8080, {"hub": 17})
    (tmp_path / "simulators").mkdir()
    (tmp_path / "simulators" / "ports.json").write_text('{"control": 4711}')
    assert found.control == 4711
    forget(tmp_path)
    with pytest.raises(NotRunningError):
        find(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"port": "x"}', '{"port": 1, "parts": 3}'])
def test_file_of_another_shape_is_no_demo(text: str, tmp_path: Path) -> None:
    (tmp_path / "running.json").write_text(text)
    with pytest.raises(NotRunningError):
        find(tmp_path)
