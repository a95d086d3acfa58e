"""What drivers declare has words: every state, and every point whose quantity does not say what it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from cloud.store.points import Point
from cloud.web.language import language
from cloud.web.point_words import LEAVES, NAMELESS, STATE_WORDS, leaf_label, point_label, state_word
from edge.drivers.ble.decode import RUUVI_POINTS
from edge.drivers.ble.objects import POINTS as BTHOME_POINTS
from edge.drivers.ble.objects import STATES as BTHOME_STATES
from edge.drivers.ble.tags import STATES as TAG_STATES
from edge.drivers.gnss.decode import POINTS as GNSS_POINTS
from edge.drivers.gpio.decode import KINDS
from edge.drivers.gpio.points import OUTPUT_STATES
from edge.drivers.network import modem
from edge.drivers.network.decode import BEARER_WORDS
from edge.drivers.network.points import PACE_WORDS
from edge.drivers.ups.decode import MEASURED, Power
from tests.cloud.web.test_values import POINT
from wire.quantities import QUANTITIES
from wire.settings.ups import UpsPoint

EDGE = Path(__file__).resolve().parents[3] / "edge" / "drivers"
ZH, EN = language("zh"), language("en")
PROPER = {"2G", "3G", "4G", "5G"}
"""Names that are the same in every language."""


def literal_states() -> Iterator[str]:
    """Yield the words of states that stand in a table of a driver: {"0": "lost", "1": "secure"}."""
    for file in sorted(EDGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Dict) or not node.keys:
                continue
            pairs = list(zip(node.keys, node.values, strict=True))
            texts = [
                one.value
                for pair in pairs
                for one in pair
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            if len(texts) == 2 * len(pairs) and all(re.fullmatch(r"-?\d+", one) for one in texts[::2]):
                yield from texts[1::2]


def states() -> set[str]:
    tables = [TAG_STATES, OUTPUT_STATES, BEARER_WORDS, PACE_WORDS, *BTHOME_STATES.values()]
    tables += [modem.STATE_WORDS, modem.REGISTRATION_WORDS, modem.TECHNOLOGY_WORDS]
    found = {word for table in tables for word in table.values()} | set(literal_states())
    found |= {word for kind in GNSS_POINTS.values() for _, word in kind.states}
    found |= {word for kind in KINDS.values() for word in kind.states}
    return found | {power.name.lower() for power in Power} | {"moving", "frozen"}


def points() -> dict[str, str]:
    """Return last parts of names -> quantity, as drivers declare them."""
    found = {name: kind.quantity for name, kind in GNSS_POINTS.items()}
    found |= {name: kind.quantity for name, kind in RUUVI_POINTS.items()}
    found |= {name: quantity for name, (quantity, _) in BTHOME_POINTS.items()}
    found |= {name: MEASURED[name].quantity if name in MEASURED else "state" for name in get_args(UpsPoint)}
    network = (EDGE / "network" / "points.py").read_text(encoding="utf-8")
    found |= {
        name.rpartition("/")[2]: quantity
        for name, quantity in re.findall(r'_point\(f?"([a-z/]+)", "([a-z_]+)"', network)
    }
    found |= {f"{span}-{what}": "data_volume" for span in ("day", "month") for what in ("spent", "left")}
    found |= dict.fromkeys(("link", "tamper", "line", "presence", "picture"), "state")
    return found | dict.fromkeys(("sessions", "requests", "reads"), "count")


def test_every_state_of_a_driver_has_words() -> None:
    assert {"secure", "here", "ethernet", "roaming", "frozen", "clear"} <= states()
    assert sorted(states() - STATE_WORDS.keys() - PROPER) == []


@pytest.mark.parametrize(("leaf", "quantity"), sorted(points().items()))
def test_point_of_a_driver_is_called_by_words(leaf: str, quantity: str) -> None:
    assert leaf in LEAVES or leaf in QUANTITIES or quantity.endswith(leaf), leaf
    said = leaf_label(ZH, leaf, quantity)
    assert any(ord(sign) > 0x2E80 for sign in said) or LEAVES.get(leaf) == "GPS", said
    assert quantity not in NAMELESS or said != ZH.quantity(quantity) or leaf == quantity


def test_title_of_a_point_is_what_it_is_called() -> None:
    named = Point(
        1, 1, 1, "s", "room-1/air/temperature", "temperature", "analog", {}, -3, 1000, POINT.created_at
    )
    assert point_label(EN, named) == "Temperature"
    titled = Point(*(getattr(named, name) for name in named.__slots__[:11]), title="恒温室温度")
    assert point_label(EN, titled) == "恒温室温度"


def test_unknown_state_stays_readable() -> None:
    assert state_word(ZH, "half_open") == "half open"
