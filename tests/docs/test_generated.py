"""Generated pages are current, and no test claims a requirement that does not exist."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "scripts" / "generate_docs.py"


def _known() -> set[str]:
    texts = tomllib.loads((ROOT / "docs/reference/requirements.toml").read_text("utf-8"))
    return {identifier for statements in texts.values() for identifier in statements}


def _run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True)
    return done.stdout


def test_generated_pages_are_current() -> None:
    """After a change: .venv/bin/python scripts/generate_docs.py."""
    done = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_tests_cite_known_requirements_only() -> None:
    code = "import requirements_page as p, pathlib; print(*p.cited_by_tests(pathlib.Path('..')), sep='\\n')"
    cited = set(_run_python(code).split())
    assert cited - _known() == set()


def test_catalogue_holds_all_five_texts() -> None:
    known = _known()
    sizes = {letter: sum(i.startswith(f"{letter}-") for i in known) for letter in "GHSQX"}
    assert sizes == {"G": 104, "H": 90, "S": 49, "Q": 120, "X": 52}


def test_marks_of_functions_classes_and_modules_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_one.py").write_text(
        "import pytest\npytestmark = pytest.mark.requirement('G-1')\n"
        "@pytest.mark.requirement('G-2', 'G-3')\nasync def test_a(): ...\n"
        "@pytest.mark.requirement('G-4')\nclass TestB: ...\n",
        "utf-8",
    )
    code = (
        "import requirements_page as p, pathlib, json; "
        f"print(json.dumps(p.cited_by_tests(pathlib.Path({str(tmp_path)!r}))))"
    )
    found = _run_python(code)
    for piece in ('"G-1": ["tests/test_one.py"]', '"G-3": ["tests/test_one.py::test_a"]', "::TestB"):
        assert piece in found
