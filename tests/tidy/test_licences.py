"""Everything that runs at run time may be shipped together with Apache-2.0 code."""

import json
import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ALLOWED = re.compile(
    r"MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|LGPL|Lesser General Public|"
    r"EPL|Eclipse|EDL|Zlib|CC0|Unlicense|The Unlicense|Public Domain",
    re.IGNORECASE,
)
REFUSED = re.compile(r"AGPL|Affero|SSPL|(?<!L)GPL|(?<!Lesser )General Public", re.IGNORECASE)


def _closure(name: str, extras: frozenset[str]) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    waiting = [(name, extras)]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        package = distribution(current[0])
        found[canonicalize_name(current[0])] = package
        for line in package.requires or []:
            requirement = Requirement(line)
            wanted = [{"extra": extra} for extra in current[1]] or [{"extra": ""}]
            if requirement.marker is None or any(requirement.marker.evaluate(e) for e in wanted):
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def _licences(package: Distribution) -> list[str]:
    """The most definite statement: expression, else classifiers, else the first line of the old field."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return [part.strip(" ()") for part in re.split(r"\bAND\b", expression)]
    classifiers = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License :: ")]
    definite = [c for c in classifiers if c != "License :: OSI Approved"]
    return definite or (metadata.get("License") or "none stated").splitlines()[:1]


def _refusal(licence: str) -> bool:
    """Whether no alternative of the statement is allowed."""
    choices = re.split(r"\bOR\b", licence)
    return all(REFUSED.search(choice) or not ALLOWED.search(choice) for choice in choices)


def test_python_dependencies_have_compatible_licences() -> None:
    packages = _closure("heng", frozenset({"edge", "pi", "cloud"}))
    assert {"aiomqtt", "psycopg", "fastapi", "pymodbus", "msgspec"} <= packages.keys()
    stated = {name: _licences(package) for name, package in packages.items()}
    assert {name: all_ for name, all_ in stated.items() if any(map(_refusal, all_))} == {}


def test_browser_libraries_have_compatible_licences(root: Path) -> None:
    lock = json.loads((root / "package-lock.json").read_text("utf-8"))
    shipped = {
        path: entry.get("license", "none stated")
        for path, entry in lock["packages"].items()
        if path and not entry.get("dev")
    }
    assert shipped
    assert {path: licence for path, licence in shipped.items() if _refusal(licence)} == {}


def test_copyleft_and_silence_are_refused() -> None:
    assert all(map(_refusal, ["GPL-3.0-only", "AGPL-3.0", "GNU General Public License v3", "none stated"]))
    assert not any(map(_refusal, ["LGPL-3.0-only", "MPL-2.0", "EPL-2.0 OR BSD-3-Clause", "MIT OR GPL-2.0"]))
