import asyncio
from datetime import UTC, datetime

import pytest

from cli.embedded import processes
from cli.embedded.mosquitto import mosquitto_program
from cli.embedded.processes import Command
from cli.main import main
from provisioning.ca import CertificateAuthority
from tests.system import mqtt_raw
from tests.system.mqtt_raw import Connect


@pytest.mark.slow
def test_broker_starts_with_the_written_configuration(service_folder, capsys):
    """Started as an administrator would: Mosquitto itself gives up root."""

    async def scene():
        gateway = authority.issue_gateway("lab-1", folder / "lab-1", now=now)
        command = Command((mosquitto_program(), "-c", folder / "etc" / "mosquitto.conf"), folder / "log")
        async with processes.running(command) as child:

            async def ready() -> bool:
                return await processes.accepts(port)

            await processes.until_ready(child, ready, timeout_s=20)
            connection = await mqtt_raw.connect(port, gateway.tls_context(), Connect("lab-1"))
            assert await connection.is_open()
            connection.hang_up()

    now = datetime.now(UTC)
    folder = service_folder / "by-command"
    folder.mkdir()
    authority = CertificateAuthority.create(folder / "ca", now=now)
    port, hub_port = processes.free_port(), processes.free_port()
    words = ["broker", "config", "--dir", str(folder / "ca"), "--out", str(folder / "etc")]
    ports = ["--gateway-port", str(port), "--hub-port", str(hub_port), "--gateway-host", "127.0.0.1"]
    assert main([*words, *ports]) == 0
    assert str(folder / "etc" / "hub.acl") in capsys.readouterr().out
    asyncio.run(scene())


def test_missing_authority_fails_in_words(tmp_path, capsys):
    assert main(["broker", "config", "--dir", str(tmp_path), "--out", str(tmp_path / "etc")]) == 1
    assert "heng broker: " in capsys.readouterr().err
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize("port", ["0", "65536", "x"])
def test_impossible_port_is_bad_input(tmp_path, port, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["broker", "config", "--dir", str(tmp_path), "--out", str(tmp_path), "--hub-port", port])
    assert caught.value.code == 2
    assert "--hub-port" in capsys.readouterr().err
