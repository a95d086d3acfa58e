"""Interlocks in settings are judged when they are saved, by what the gateway declared and settings name."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cloud import settings_acts
from cloud.identity.acts import Act
from cloud.identity.viewer import Origin, Viewer
from cloud.settings_acts import DocumentError
from cloud.store.connection import Connection
from wire.codec import encode_body
from wire.messages import PointDeclaration, Points
from wire.settings.toml import to_toml
from wire.status import PointKind

pytestmark = pytest.mark.requirement("G-6.9a2")

AT = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = Points(
    gateway="gateway-1",
    points=[
        PointDeclaration(name="room-2/air/temperature", quantity="temperature", exponent=-2, period_ms=1000),
        PointDeclaration(
            name="gpio/door", quantity="state", kind=PointKind.STATE, states={"0": "closed", "1": "open"}
        ),
    ],
    layouts=[],
)
RELAY = {"name": "source-1", "kind": "relay", "pin": 17, "safe": "off"}


def document(*, point: str = "room-2/air/temperature", target: str = "gpio/source-1", **cause: Any) -> str:
    """Settings with one interlock."""
    limits = {"kind": "limit", "name": "hot", "point": point, "low": "18", "high": "24", "guarded": False}
    group = [{"name": "climate", "cause": [limits | cause]}]
    rule = {"name": "room-2", "group": group, "effect": [{"kind": "inhibit_output", "target": target}]}
    device = {"driver": "gpio", "name": "board", "output": [RELAY]}
    return to_toml({"device": [device], "interlock": [rule]})


@pytest.fixture(autouse=True)
def _declared(lab: Any) -> None:
    for table in ("settings_desired", "settings_reported", "settings_revisions", "declarations"):
        lab.execute(f"DELETE FROM {table}")
    lab.execute("INSERT INTO declarations VALUES (1, 1, %s)", encode_body(POINTS))


def save(lab: Any, text: str, *, based_on: int = 0) -> list[tuple[str, str]]:
    """Save settings; return the faults."""

    async def saved(connection: Connection) -> list[tuple[str, str]]:
        act = Act(connection, Viewer(kind="command", login="li", origin=Origin("")), AT)
        try:
            async with connection.transaction():
                await settings_acts.save(act, "gateway-1", text, based_on=based_on, reason="why")
        except DocumentError as error:
            return [(fault.path, fault.expectation) for fault in error.faults]
        return []

    found = lab.run(saved)
    assert isinstance(found, list)
    return found


def runs(lab: Any, text: str) -> None:
    """Have the gateway run a document."""
    lab.execute(
        "INSERT INTO settings_revisions VALUES (1, 1, 1, %s, sha256('x'), 'gateway', 'g', 'r', %s, 0)",
        text,
        AT,
    )
    lab.execute(
        "INSERT INTO settings_reported VALUES (1, 1, 0, 0, 'file', '[]', 0, 0, sha256('x'), 1, %s, %s)",
        AT,
        AT,
    )


def test_rule_that_can_be_run_is_saved(lab: Any) -> None:
    assert save(lab, document()) == []
    assert lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"high": "900"},
            "the high limit 900 of room-2/air/temperature is outside of what its sensor can tell",
        ),
        ({"target": "gpio/nowhere"}, "no output is called gpio/nowhere"),
        ({"point": "gpio/door"}, "gpio/door is a state: it has no limit; name the states that are normal"),
        ({"deadband": "4"}, "nothing is left of room-2/air/temperature"),
    ],
)
def test_rule_that_cannot_be_run_is_refused_whole_with_a_sentence(
    lab: Any, changed: dict[str, Any], sentence: str
) -> None:
    found = save(lab, document(**changed))
    assert [sentence in expectation for _, expectation in found] == [True], found
    assert found[0][0].startswith("interlock[0]")
    assert lab.execute("SELECT count(*) FROM settings_revisions") == [(0,)]


def test_unknown_point_is_a_fault_where_the_devices_are_those_that_run(lab: Any) -> None:
    runs(lab, document())
    expected = "a rule that can be run: no point is called room-3/air/temperature"
    found = save(lab, document(point="room-3/air/temperature"), based_on=1)
    assert found == [("interlock[0].group[0].cause[0].point", expected)]


def test_unknown_point_may_be_one_of_a_device_that_is_new(lab: Any) -> None:
    assert save(lab, document(point="room-3/air/temperature")) == []


def test_nothing_is_judged_of_a_gateway_that_declared_nothing(lab: Any) -> None:
    lab.execute("DELETE FROM declarations")
    assert save(lab, document(target="gpio/nowhere")) == []
