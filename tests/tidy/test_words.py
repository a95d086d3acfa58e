"""Tracked text names no unfinished work, no path of one machine and no package registry."""

import re
from pathlib import Path

_MARKS = "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "NotImplemented" + "Error"))
UNFINISHED = re.compile(rf"\b({_MARKS})\b|\bfor " + "now\\b")
REGISTRIES = re.compile(
    "|".join(
        re.escape(".".join(labels))
        for labels in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("artifact", "registry"),
            ("pkg", "dev"),
        )
    )
)
HOMES = re.compile(r"(?<![\w.])/(work|root|Users|home/\w+)/")


def _hits(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number} {line.strip()[:80]}"
        for name, text in texts.items()
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_unfinished_by_its_own_words(texts: dict[str, str]) -> None:
    assert _hits(UNFINISHED, texts) == []


def test_no_package_registry_is_named(texts: dict[str, str]) -> None:
    assert _hits(REGISTRIES, texts) == []


def test_no_path_of_one_machine_is_named(texts: dict[str, str], root: Path) -> None:
    here = re.compile("|".join(re.escape(str(path) + "/") for path in {root, root.parent} - {Path("/")}))
    mine = {name: text for name, text in texts.items() if name != "tests/tidy/test_words.py"}
    assert _hits(HOMES, mine) + ([] if str(root.parent) in {"/", "/tmp"} else _hits(here, mine)) == []


def test_nothing_reaches_outside_the_repository(texts: dict[str, str]) -> None:
    assert _hits(re.compile(r"\.\./" + "shared"), texts) == []
