"""What the tidiness tests look at: the tracked files and the parsed modules of our packages."""

import ast
import subprocess
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("wire", "rules", "edge", "cloud", "provisioning", "simulators", "benchmarks", "cli")


@dataclass(frozen=True)
class Module:
    """One Python file of the repository; `path` is relative to its top."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]


def _tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Every text file that git knows or would add, by its path."""
    found: dict[str, str] = {}
    for name in _tracked():
        data = (ROOT / name).read_bytes()
        with suppress(UnicodeDecodeError):
            if b"\0" not in data:
                found[name] = data.decode("utf-8")
    return found


@pytest.fixture(scope="session")
def python_files(texts: dict[str, str]) -> list[Module]:
    return [Module(n, t, ast.parse(t, n)) for n, t in texts.items() if n.endswith(".py")]


@pytest.fixture(scope="session")
def modules(python_files: list[Module]) -> list[Module]:
    """The modules of our packages, without tests and scripts."""
    return [module for module in python_files if module.package in PACKAGES]
