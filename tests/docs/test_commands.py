"""What the pages tell a person to type exists, and the settings they show are accepted."""

import re
import shlex
from pathlib import Path

import pytest

from cli.main import COMMANDS, build_parser
from cloud.site_file import read_site_file
from wire.settings.gateway import read_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [
    (page.relative_to(ROOT).as_posix(), line.split(" #")[0].rstrip(" &"))
    for page in PAGES
    for block in re.findall(r"```(?:sh)?\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    for line in re.sub(r"\\\n\s*", "", block).splitlines()
    if line.startswith("heng ") and "…" not in line and line.split()[1] in COMMANDS
]


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=[f"{page}: {line}" for page, line in SHOWN])
def test_command_on_a_page_is_understood(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    parsed = build_parser(words[0]).parse_args(words)
    assert callable(parsed.run), page


def test_pages_show_commands() -> None:
    assert len(SHOWN) >= 8


def _toml_blocks() -> list[str]:
    text = (ROOT / "docs/tutorial/first-laboratory.md").read_text("utf-8")
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def test_site_file_of_the_tutorial_has_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "sites.toml"
    file.write_text(_toml_blocks()[0], "utf-8")
    found, faults = read_site_file(file)
    assert (found is not None, faults) == (True, [])


def test_gateway_settings_of_the_tutorial_have_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(_toml_blocks()[1], "utf-8")
    found, faults = read_settings(file)
    assert (found is not None, faults) == (True, [])


def test_readme_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {
        word for page in PAGES for word in re.findall(r"^make (\w+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= used <= targets
