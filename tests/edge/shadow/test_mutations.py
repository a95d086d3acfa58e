"""Thousands of mutated documents: no gateway is bricked by one, and none is ever half in force.

How many is in HENG_SETTINGS_MUTATIONS; `make settings` runs ten thousand.
"""

import os
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioning import files
from wire.settings.toml import to_toml
from wire.shadow import Desired, ShadowState

Start = Callable[..., Any]
Wish = Callable[..., Desired]
NUMBER = int(os.environ.get("HENG_SETTINGS_MUTATIONS", "300"))
PARTS = 4 + NUMBER // 500
DRIVERS = Path(__file__).parents[3] / "edge" / "drivers"
SAMPLES = [path.read_text("utf-8") for path in sorted(DRIVERS.glob("*/sample.toml"))]
ODD: list[object] = [
    *(0, -1, 1, 65536, 2**70, -0.0, 1e308, float("inf"), float("nan"), True, False, "", "x" * 500, "\u0001"),
    *("../../etc/passwd", "/dev/null", "room", "衡", [], {}, [[]], [{}], {"": {}}, "1e999", "0.1", None),
]
ODD_LINES = ("[gateway]\n", "[uplink]\n", "[[device]]\n", "a = 1\n", "\x00\n")


def _places(value: object) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    found: list[tuple[Any, Any]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((value, key))
        found += _places(item)
    return found


def _structure(document: dict[str, Any], chance: random.Random) -> str:
    """Change values, keys and tables of a document that can be read."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        places = _places(document)
        if not places:
            break
        container, key = chance.choice(places)
        kind = chance.randrange(6)
        if kind == 0:
            del container[key]
        elif kind == 1 and isinstance(container, list):
            container.append(container[key])
        elif kind == 1:
            container[chance.choice(("name", "port", "unknown", str(key) + "s"))] = container.pop(key)
        elif kind == 2 and isinstance(container[key], int | float) and not isinstance(container[key], bool):
            container[key] = container[key] + chance.choice((-1, 1, 7, 1000, -1000))
        elif kind == 3:
            other, place = chance.choice(places)
            container[key] = _copy(other[place]) if place in _keys(other) else 0
        else:
            odd = chance.choice(ODD)
            if odd is None:
                del container[key]
            else:
                container[key] = _copy(odd)
    try:
        return to_toml(document)
    except ValueError:
        return "device = 1"


def _keys(container: Any) -> Any:
    return container if isinstance(container, dict) else range(len(container))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _text(text: str, chance: random.Random) -> str:
    """Change characters and lines, as an editor or a bad copy may."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = chance.randrange(len(lines)) if lines else 0
        kind = chance.randrange(5)
        if not lines or kind == 0:
            lines.insert(place, chance.choice(ODD_LINES))
        elif kind == 1:
            del lines[place]
        elif kind == 2:
            lines.insert(chance.randrange(len(lines)), lines[place])
        elif kind == 3:
            lines = lines[:place]
        else:
            at = chance.randrange(len(lines[place]) or 1)
            lines[place] = lines[place][:at] + chr(chance.randrange(1, 0x250)) + lines[place][at + 1 :]
    return "".join(lines)


def mutated(number: int) -> str:
    """Return document `number`: one to three devices' samples, changed or (seldom) as they are."""
    chance = random.Random(number)
    text = "\n".join(chance.sample(SAMPLES, chance.randint(1, 3)))
    if chance.random() < 0.1:
        return text
    if chance.random() < 0.2:
        text = '[shutdown]\nups = "ups"\n[clock]\ndrift_ppm = 20.0\n' + text
    return _text(text, chance) if chance.random() < 0.35 else _structure(tomllib.loads(text), chance)


class Chance:
    """Kills the process at some write, or not, and lets devices answer, or not."""

    def __init__(self, number: int, killed: type[BaseException]) -> None:
        chance = random.Random(-number)
        self.healthy = chance.random() < 0.6
        self._killed = killed
        self._left = chance.randrange(4) if chance.random() < 0.3 else -1
        self._late = chance.random() < 0.5

    def replace(self, path: Path, data: bytes) -> None:
        """Put a file into place, unless the end comes before."""
        self._left -= 1
        if self._left == -1 and not self._late:
            raise self._killed
        files.replace(path, data)
        if self._left == -1:
            raise self._killed


@pytest.mark.requirement("G-4.3a")
@pytest.mark.timeout(240 + NUMBER)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutated_document_bricks_a_gateway_or_is_half_in_force(
    *,
    part: int,
    process: Start,
    wish: Wish,
    killed: type[BaseException],
    record_property: Callable[[str, object], None],
) -> None:
    counted = dict.fromkeys(("applied", "refused", "rolled_back", "killed"), 0)
    before = process().settings
    for number in range(part, NUMBER, PARTS):
        chance = Chance(number, killed)
        one = process(replace=chance.replace)
        assert one.settings == before
        one.read_all()
        one.while_watched = one.read_all if chance.healthy else one.fail_all
        try:
            one.play(wish(mutated(number), number + 1))
        except killed:
            counted["killed"] += 1
        else:
            counted[str(one.quiet.reported[-1].state)] += 1
            expected = process().settings
            assert one.settings == expected
            assert [driver.name for driver in one.crew.drivers] == [d.name for d in expected.device]
            if one.quiet.reported[-1].state is not ShadowState.APPLIED:
                assert one.settings == before
        again = process()
        again.play()
        assert again.state.trial is None
        before = process().settings
        assert again.settings == before
    record_property("counted", counted)
    assert min(counted.values()) > 0
