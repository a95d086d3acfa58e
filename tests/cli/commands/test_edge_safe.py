"""`heng edge safe` touches nothing while a gateway runs, and says what it could not make safe."""

import tomllib
from pathlib import Path
from typing import Any

from cli.commands.edge_safe import make_safe
from edge.journal.lock import FolderLock
from wire.settings.gateway import GatewaySettings, judged

PINS = "[[device]]\ndriver = 'gpio'\nname = 'board'\noutput = [{ name = 'relay', kind = 'relay', pin = 4 }]\n"
NONE = "[[device]]\ndriver = 'network'\nname = 'uplink'\n"


def settings(text: str) -> GatewaySettings:
    found, faults = judged(tomllib.loads("[gateway]\nid = 'gw-1'\n[uplink]\nhost = '127.0.0.1'\n" + text))
    assert found is not None, faults
    return found


def test_running_gateway_holds_its_outputs_itself(tmp_path: Path, capsys: Any) -> None:
    lock = FolderLock.take(tmp_path)
    try:
        assert make_safe(settings(PINS), tmp_path) == 1
    finally:
        lock.release()
    assert "a gateway runs and holds its outputs itself" in capsys.readouterr().err


def test_output_that_cannot_be_had_is_told(tmp_path: Path, capsys: Any) -> None:
    assert make_safe(settings(PINS), tmp_path) == 1
    assert "heng edge safe: gpio/relay: " in capsys.readouterr().err


def test_gateway_without_outputs_is_safe(tmp_path: Path) -> None:
    assert make_safe(settings(NONE), tmp_path) == 0
