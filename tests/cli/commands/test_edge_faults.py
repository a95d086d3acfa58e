"""`heng edge` tells what is wrong with its identity beside every other fault of its settings."""

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.commands.edge import run
from provisioning.ca import CertificateAuthority

BAD = """
[gateway]
id = "lab-2"
identity = "identity"
[uplink]
port = 0
[[device]]
driver = "modbus"
name = "room"
host = "127.0.0.1"
[[device.unit]]
address = 1
profile = "nobody-made-this"
prefix = "a"
"""


def _told(folder: Path, capsys: Any) -> str:
    file = folder / "gateway.toml"
    file.write_text(BAD, encoding="utf-8")
    assert run(Namespace(settings=file, action="check")) == 2
    said: str = capsys.readouterr().err
    for path in ("uplink.port", "uplink.host", "device[0].unit[0].profile"):
        assert f"  {path}: " in said
    return said


def test_missing_identity_is_told_beside_other_faults(tmp_path: Path, capsys: Any) -> None:
    assert "  gateway.identity: 'identity': expected an identity folder" in _told(tmp_path, capsys)


def test_identity_of_another_gateway_is_told_beside_other_faults(tmp_path: Path, capsys: Any) -> None:
    now = datetime.now(UTC)
    authority = CertificateAuthority.create(tmp_path / "ca", now=now)
    authority.issue_gateway("lab-1", tmp_path / "identity", now=now)
    assert "  gateway.id: 'lab-2': expected lab-1, which the certificate in" in _told(tmp_path, capsys)
