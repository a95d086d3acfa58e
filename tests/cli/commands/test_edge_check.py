"""`heng edge check` refuses interlocks that name what is not there, and tells how quick the others are."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.commands.edge import run
from provisioning.identity import GatewayIdentity

SETTINGS = """
[gateway]
id = "{gateway}"
identity = "{identity}"
[uplink]
host = "127.0.0.1"
[[interlock]]
name = "source"
effect = [{{ kind = "inhibit_output", target = "gpio/source" }}]
[[interlock.group]]
name = "door"
cause = [{{ name = "open", kind = "state", point = "gpio/{point}", normal = ["closed"], on_delay_s = 2 }}]
[[device]]
driver = "gpio"
name = "board"
input = [{{ name = "door", kind = "door_contact", pin = 17 }}]
output = [{{ name = "source", kind = "relay", pin = 4 }}]
"""


@pytest.fixture
def checked(
    tmp_path: Path,
    gateway_identity: Callable[[str], GatewayIdentity],
    capsys: Any,
) -> Callable[[str], tuple[int, str]]:
    """Checks settings whose interlock looks at this point; it has no pins."""
    identity, file = gateway_identity("checks-interlocks"), tmp_path / "gateway.toml"

    def check(point: str) -> tuple[int, str]:
        text = SETTINGS.format(gateway=identity.gateway, identity=identity.folder, point=point)
        file.write_text(text, encoding="utf-8")
        code = run(Namespace(settings=file, action="check"))
        said = capsys.readouterr()
        return code, said.out + said.err

    return check


@pytest.mark.requirement("G-6.9a2")
def test_interlock_that_names_an_unknown_point_is_refused(
    checked: Callable[[str], tuple[int, str]],
) -> None:
    code, said = checked("window")
    assert code == 2
    assert "interlock[0].group[0].cause[0].point: 'gpio/window'" in said
    assert "no point is called gpio/window" in said


def test_time_from_breach_to_safe_is_told(checked: Callable[[str], tuple[int, str]]) -> None:
    _, said = checked("door")
    assert "interlock source" in said
    assert "1 cause(s), 1 effect(s); safe within 30.55 s" in said
