"""The matrix of an interlock, and of a gateway, as a page to print: what its rules say, and no form."""

from collections.abc import Iterator
from typing import Any

import pytest

from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from wire.codec import encode_body
from wire.messages import PointDeclaration, Points
from wire.settings.toml import to_toml

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-6.9b")]
POINT = "room-2/air/temperature"
HOT = {"kind": "limit", "name": "hot", "point": POINT, "high": "24", "deadband": "0.5", "off_delay_s": 5}
STILL = {"kind": "alive", "name": "still", "point": POINT, "stale_after_s": 7.5, "bypassable": False}
RULE: dict[str, Any] = {
    "name": "climate",
    "title": "Climate of room 2",
    "group": [{"name": "air", "needed": 1, "cause": [HOT, STILL]}],
    "effect": [{"kind": "hold_work", "target": "room-2"}],
    "proof": {"every_days": 365},
}
OTHER = {**RULE, "name": "other", "title": "Another room"}
DEVICE = {"driver": "gnss", "name": "gps", "prefix": "car"}


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as opened:
        ((gateway, body),) = opened.lab.execute(
            "SELECT id, organisation_id FROM gateways WHERE name = 'here-gateway'"
        )
        text = to_toml({"device": [DEVICE], "interlock": [RULE, OTHER]})
        for table in ("settings_reported", "declarations"):
            opened.lab.execute(f"DELETE FROM {table} WHERE gateway_id = %s", gateway)
        opened.lab.execute(
            "INSERT INTO settings_revisions VALUES (%s, %s, 41, %s, sha256('x'), 'gateway', 'g', 'r', %s, 0)",
            *(body, gateway, text, NOW),
        )
        opened.lab.execute(
            "INSERT INTO settings_reported VALUES"
            " (%s, %s, 0, 0, 'file', '[]', 0, 0, sha256('x'), 41, %s, %s)",
            *(body, gateway, NOW, NOW),
        )
        declared = PointDeclaration(name=POINT, quantity="temperature", exponent=-2, period_ms=1000)
        said = encode_body(Points(gateway="here-gateway", points=[declared], layouts=[]))
        opened.lab.execute("INSERT INTO declarations VALUES (%s, %s, %s)", gateway, body, said)
        yield opened


def look(world: World, path: str, language: str = "en") -> str:
    world.token(Grant(Role.VIEWER, 1))
    answer = world.ask(f"{path}?lang={language}", cookies=world.session())
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_matrix_of_an_interlock_has_all_that_is_signed_and_no_form(world: World) -> None:
    page = look(world, "/interlocks/here-gateway/climate/matrix")
    main = page[page.index("<main") : page.index("</main>")]
    assert "<form" not in main
    for words in (
        *(
            "Climate of room 2",
            f"{POINT} above 24 °C, uncertainty counted in",
            "1 / 2",
            "holds the work room-2",
        ),
        *(">3 s<", ">7.5 s<", ">5 s<", ">0.5<", ">no<", "Never proved with this rule"),
        *("Settings, revision 41", "Made at ", "Fingerprint of the rule", "s at most, as computed"),
        *("The same when a sensor is lost", "Safe when lost"),
    ):
        assert words in main, words
    assert "Another room" not in main
    assert "设置版本 41" in look(world, "/interlocks/here-gateway/climate/matrix", "zh")


def test_matrix_of_a_gateway_has_every_interlock(world: World) -> None:
    page = look(world, "/gateways/here-gateway/matrix")
    assert "Climate of room 2" in page
    assert "Another room" in page


def test_time_to_the_safe_state_is_not_made_up_for_points_that_nobody_declared(world: World) -> None:
    world.lab.execute("DELETE FROM declarations")
    page = look(world, "/interlocks/here-gateway/climate/matrix")
    assert "not known" in page
    assert "as computed" not in page


def test_matrix_of_what_is_not_there_is_not_there(world: World) -> None:
    world.token(Grant(Role.VIEWER, 1))
    for path in ("/interlocks/here-gateway/nothing/matrix", "/gateways/nowhere/matrix"):
        assert world.ask(path, cookies=world.session()).status_code == 404
