"""A clean Debian starts with our boot files: cloud-init installs, the gateway enrols and reports.

Run by `make firmware`, as root, in a network namespace of its own whose loopback holds the hub as well.
The root and the wheels come from `scripts/firmware-root.sh`.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from cli.demo import web
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import EmbeddedPostgres
from cloud.store.migrate import upgrade
from provisioning.ca import CertificateAuthority

SOURCE = Path(__file__).parents[2]
MADE = Path(os.environ.get("HENG_FIRMWARE", SOURCE / "build" / "firmware"))
READY_S = 240.0
ALIVE_S = 75.0
"""More than the watchdog's 30 s and a start."""
SITE = 'organisation = "Test"\n[[site]]\nname = "lab"\ntitle = "Lab"\nkind = "laboratory"\n'
pytestmark = [pytest.mark.timeout(900), pytest.mark.requirement("G-7.2a")]


def heng(*words: str | Path, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "cli.main", *map(str, words)]
    made = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **(environment or {})}
    )
    return made.stdout


@contextmanager
def booted(root: Path, log: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Start the root as a machine; yields what runs a command in it."""
    nspawn = f"systemd-nspawn -D {root} --boot --register=no --keep-unit --capability=CAP_NET_ADMIN"
    with subprocess.Popen(
        ["script", "-qfec", nspawn, str(log)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as machine:
        leader = _until(lambda: _leader(root), 30.0, "systemd is there")

        def inside(*words: str) -> subprocess.CompletedProcess[str]:
            enter = ["nsenter", "--all", "--target", str(leader), "--"]
            return subprocess.run([*enter, *words], capture_output=True, text=True, check=False, timeout=60)

        try:
            yield inside
        finally:
            inside("systemctl", "poweroff", "--force", "--force")
            try:
                machine.wait(30)
            except subprocess.TimeoutExpired:
                machine.kill()


def _leader(root: Path) -> int | None:
    """The process number of the machine's systemd, as seen from here."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == "systemd" and (folder / "root").samefile(root):
                return int(folder.name)
        except OSError:
            continue
    return None


T = TypeVar("T")


def _until(what: Callable[[], T | None], seconds: float, told: str) -> T:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not in {seconds:.0f} s: {told}"
        time.sleep(0.5)
    return found


class Hub:
    """A hub with enrolment, in this network namespace."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, broker: EmbeddedMosquitto) -> None:
        self.folder = folder
        self.owner = {"HENG_OWNER_DATABASE_URL": postgres.owner_dsn, "HENG_DATABASE_URL": postgres.owner_dsn}
        self.port = 8099
        self.environment = {
            "HENG_DATABASE_URL": postgres.hub_dsn,
            "HENG_MQTT_URL": broker.hub_url,
            "HENG_IDENTITY": str(folder / "ca" / "hubs" / "hub"),
            "HENG_HTTP_PORT": str(self.port),
            "HENG_ENROL_CA": str(folder / "ca"),
            "HENG_ENROL_URL": "https://127.0.0.1:8444",
            "HENG_ENROL_PORT": "8444",
            "HENG_GATEWAY_BROKER_URL": f"mqtts://127.0.0.1:{broker.gateway_port}",
        }
        self.broker = f"127.0.0.1:{broker.gateway_port}"

    def ask(self, path: str) -> list[dict[str, object]]:
        try:
            answer = asyncio.run(web.Visitor(self.port).get(path))
        except OSError:
            return []
        return list(answer.json()["items"]) if answer.status == 200 else []


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    authority = CertificateAuthority.create(tmp_path / "ca", now=datetime.now(UTC))
    authority.issue_hub("hub", now=datetime.now(UTC))
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    broker = EmbeddedMosquitto(tmp_path / "broker", authority)

    async def start() -> None:
        await postgres.start()
        async with await psycopg.AsyncConnection.connect(postgres.owner_dsn, autocommit=True) as connection:
            await upgrade(connection)
        await broker.start()

    async def stop() -> None:
        await broker.stop()
        await postgres.stop()

    with asyncio.Runner() as runner:
        runner.run(start())
        hub = Hub(tmp_path, postgres, broker)
        with (tmp_path / "hub.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "hub"],
                env={**os.environ, **hub.environment},
                stdout=log,
                stderr=log,
            )
        try:
            yield hub
        finally:
            process.terminate()
            process.wait(20)
            runner.run(stop())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the clean root."""
    made = tmp_path / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", MADE / "root", made], check=True)
    return made


def prepared(hub: Hub, root: Path) -> float:
    """Put the boot files into the root, as a card writer would; return when that was."""
    (hub.folder / "site.toml").write_text(SITE)
    heng("site", "apply", hub.folder / "site.toml", environment=hub.owner)
    claim, boot = hub.folder / "lab.claim", root / "boot" / "firmware"
    heng(
        "gateway",
        "claim",
        "lab",
        "--id",
        "lab-1",
        "--out",
        claim,
        environment={**hub.environment, **hub.owner},
    )
    boot.mkdir(parents=True)
    heng("first-boot", claim, "--profile", "laboratory", "--out", boot, "--broker", hub.broker)
    shutil.copytree(MADE / "wheels", boot / "heng" / "wheels")
    seed = root / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True)
    head, _, text = (boot / "user-data").read_text("utf-8").partition("\n")
    # The packages of the profile are there already: this network namespace reaches no mirror. A minimal root
    # has no locales to choose from.
    config = json.loads(text) | {"package_update": False, "packages": [], "locale": False}
    (seed / "user-data").write_text(f"{head}\n{json.dumps(config)}\n", "utf-8")
    shutil.copy(boot / "meta-data", seed)
    return time.monotonic()


def test_a_clean_debian_becomes_a_gateway_and_is_looked_after(
    hub: Hub, root: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    _until(lambda: asyncio.run(web.is_ready(hub.port)), 60.0, "the hub is ready")
    started = prepared(hub, root)
    with booted(root, tmp_path / "console.log") as inside:

        def stored() -> bool:
            return any(row["state"] == "live" for row in hub.ask("/api/latest"))

        _until(stored, READY_S, "the first reading is stored")
        took_s = time.monotonic() - started
        record_property("first_boot_to_first_stored_reading_s", round(took_s))
        sys.stdout.write(f"first boot to first stored reading: {took_s:.0f} s\n")
        assert inside("cloud-init", "status", "--wait").stdout.strip().endswith("done")
        _the_machine_is_as_it_should_be(inside)
        _the_gateway_is_looked_after(inside)
        _until(stored, ALIVE_S, "readings go on")


def _the_machine_is_as_it_should_be(inside: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    services = ["heng-edge", "heng-enrol", "nftables"]
    states = inside("systemctl", "is-active", *services).stdout.split()
    assert states == ["active"] * len(services), dict(zip(services, states, strict=True))
    assert inside("test", "-e", "/etc/heng/claim.json").returncode == 1, "a used claim is taken away"
    # chrony does not start where a machine may not set the clock; its configuration is read as it would be.
    assert "makestep 1 3" in inside("chronyd", "-p").stdout
    rules = inside("nft", "list", "ruleset").stdout
    assert "policy drop" in rules
    mode = inside("stat", "-c", "%U %a", "/var/lib/heng", "/var/lib/heng/identity/tls-key.pem").stdout
    assert mode.splitlines() == ["heng 700", "heng 600"]
    for unit in ("heng-edge.service", "heng-enrol.service"):
        verified = inside("systemd-analyze", "verify", "--man=no", f"/etc/systemd/system/{unit}")
        assert verified.returncode == 0, verified.stderr
        exposure = inside("systemd-analyze", "security", "--no-pager", unit).stdout.splitlines()[-1]
        assert float(exposure.split(":")[1].split()[0]) < 3.0, exposure


def _the_gateway_is_looked_after(inside: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Killed and frozen, it comes back by itself."""

    def main_pid() -> str:
        return inside("systemctl", "show", "-P", "MainPID", "heng-edge").stdout.strip()

    def restarted(before: str) -> bool:
        active = inside("systemctl", "is-active", "heng-edge").stdout.strip() == "active"
        return active and main_pid() not in ("0", before)

    for signal in ("KILL", "STOP"):
        before = main_pid()
        inside("kill", f"-{signal}", before)
        _until(lambda before=before: restarted(before), ALIVE_S, f"the gateway is back after SIG{signal}")
