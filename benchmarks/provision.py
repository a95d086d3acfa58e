"""`heng bench provision`: claim code to first reading, many enrolments, how quickly a revoked gateway is out.

The hub is `heng hub` in a process of its own, on a real PostgreSQL and a real Mosquitto. A gateway is
enrolled by `heng enrol` and run by `heng edge`, with one simulated Modbus device. Who is revoked holds a live
session and sends signed batches all the time; it is out when the last of them was delivered and stored.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import psycopg

from benchmarks.edge import Load, gateway_process, settings_text, simulated
from benchmarks.enrolments import Enrolments, enrol_all, make_claims
from benchmarks.revoked import HubHttp, Listener, Sender, free_ports
from cloud.store.migrate import install_timescaledb, upgrade
from provisioning.ca import CertificateAuthority
from provisioning.claim import Claim, write_claim
from provisioning.identity import GatewayIdentity, HubIdentity

FIRST, GATEWAYS, SITE = "bench-first", 1000, "bench"
POINTS = 2
READY_S, FIRST_S, STOP_S = 120.0, 180.0, 30.0
WATCHED_S = 8.0
"""How long deliveries are waited for after a revocation."""
_LOOK_S = 0.05
_SITE_FILE = f"""
organisation = "Bench"

[[site]]
name = "{SITE}"
title = "Bench"
kind = "laboratory"
time_zone = "UTC"
"""


class Server(Protocol):
    """A running database server."""

    @property
    def owner_dsn(self) -> str:
        """Of the role that owns the tables."""

    @property
    def hub_dsn(self) -> str:
        """Of the role that the hub uses."""

    @property
    def admin_dsn(self) -> str:
        """Of the superuser."""


class Broker(Protocol):
    """A running broker with the two listeners of this project."""

    @property
    def gateway_port(self) -> int:
        """For gateways."""

    @property
    def hub_port(self) -> int:
        """For the hub's workers."""

    @property
    def hub_url(self) -> str:
        """The same as a URL."""

    @property
    def revocations(self) -> Path:
        """Where it reads what it refuses."""

    @property
    def pid_file(self) -> Path:
        """Where its process id is."""


StartServer = Callable[[Path], AbstractAsyncContextManager[Server]]
StartBroker = Callable[[Path, CertificateAuthority], AbstractAsyncContextManager[Broker]]


@dataclass(frozen=True, slots=True)
class Place:
    """A hub that runs."""

    folder: Path
    http: HubHttp
    broker: Broker
    listener: HubIdentity
    """Of a worker that hears what gateways send."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Seconds from the act on."""

    cut_s: float
    """Until the live session was ended."""
    heard_s: float
    """Until the last message was delivered to the hub's workers."""
    stored_s: float
    """Until the last batch was stored."""

    @property
    def seconds(self) -> float:
        """Until all of it was over."""
        return max(self.cut_s, self.heard_s, self.stored_s)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--gateways", type=int, default=GATEWAYS, help="how many enrol (default 1000); told for a thousand"
    )
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure and print; `args.start_server` and `args.start_broker` start what the hub needs."""
    with tempfile.TemporaryDirectory(prefix="heng-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            measured = asyncio.run(
                _measure(folder, args.start_server, args.start_broker, gateways=args.gateways)
            )
        except StepError as error:
            print(f"heng bench provision: {error}", file=sys.stderr)
            return 1
    first_s, enrolled, revoked = measured
    result = {
        "first_reading_s": round(first_s, 2),
        "enrol_1000_s": round(enrolled.seconds * 1000 / enrolled.number, 1),
        "revocation_s": round(revoked.seconds, 2),
    }
    print(json.dumps(result)) if args.json else _table(first_s, enrolled, revoked)
    return 0


class StepError(Exception):
    """A step did not come to its end."""


async def _measure(
    folder: Path, start_server: StartServer, start_broker: StartBroker, *, gateways: int
) -> tuple[float, Enrolments, Revoked]:
    now = datetime.now(UTC)
    authority = CertificateAuthority.create(folder / "ca", now=now)
    hub, listener = (authority.issue_hub(name, now=now) for name in ("hub", "bench"))  # the broker lists them
    async with (
        start_server(folder / "postgres") as server,
        start_broker(folder / "broker", authority) as broker,
        running_hub(folder, server, broker, identity=hub) as http,
    ):
        (claim,) = await make_claims(server.hub_dsn, SITE, [FIRST])
        place = Place(folder, http, broker, listener)
        first_s = await _first_reading(place, claim)
        names = [f"bench-{number}" for number in range(gateways)]
        claims = await make_claims(server.hub_dsn, SITE, names)
        enrolled = await enrol_all(claims, folder / "gateways")
        revoked = await _revocation(place, GatewayIdentity.load(folder / "gateways" / names[0]))
    return first_s, enrolled, revoked


@asynccontextmanager
async def running_hub(
    folder: Path, server: Server, broker: Broker, *, identity: HubIdentity
) -> AsyncIterator[HubHttp]:
    """Run a hub with one site while the context is open; `StepError` when it does not become ready."""
    http, enrol = free_ports(2)
    await _prepare(server)
    (folder / "site.toml").write_text(_SITE_FILE)
    await heng("site", "apply", str(folder / "site.toml"), "--database-url", server.owner_dsn)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HENG_")} | {
        "HENG_DATABASE_URL": server.hub_dsn,
        "HENG_MQTT_URL": broker.hub_url,
        "HENG_IDENTITY": str(identity.folder),
        "HENG_ENROL_CA": str(folder / "ca"),
        "HENG_ENROL_PORT": str(enrol),
        "HENG_GATEWAY_BROKER_URL": f"mqtts://127.0.0.1:{broker.gateway_port}",
        "HENG_BROKER_CRL": str(broker.revocations),
        "HENG_BROKER_PID_FILE": str(broker.pid_file),
    }
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "hub", "--port", str(http)),
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            asked = HubHttp(http)
            await _until(asked.is_ready, READY_S, f"the hub did not become ready; see {log}")
            yield asked
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(STOP_S):
                await process.wait()


async def _prepare(server: Server) -> None:
    async with await psycopg.AsyncConnection.connect(server.admin_dsn, autocommit=True) as connection:
        await install_timescaledb(connection)
    async with await psycopg.AsyncConnection.connect(server.owner_dsn, autocommit=True) as connection:
        await upgrade(connection)


async def _first_reading(place: Place, claim: Claim) -> float:
    """Return the seconds from the claim in hand to the first reading that the hub shows."""
    home = place.folder / FIRST
    home.mkdir()
    load = Load(1, POINTS, 1000)
    async with simulated(load) as ports:
        settings = home / "gateway.toml"
        settings.write_text(settings_text(FIRST, place.broker.gateway_port, ports, load=load))
        file = home / "claim"
        file.write_bytes(write_claim(claim))
        started = time.monotonic()
        await heng("enrol", str(file), "--settings", str(settings))
        async with gateway_process(settings, home / "gateway.log"):
            await _until(place.http.has_reading, FIRST_S, "no reading was stored")
            return time.monotonic() - started


async def _revocation(place: Place, identity: GatewayIdentity) -> Revoked:
    http, gateway = place.http, identity.gateway
    with (
        Listener(place.listener, place.broker.hub_port, gateway) as listener,
        Sender(identity, place.broker.gateway_port) as sender,
    ):
        sending = asyncio.gather(sender.run())
        try:
            await _until(lambda: http.received(gateway) > 0, FIRST_S, "its batches were not stored before")
            act = time.monotonic()
            await asyncio.to_thread(http.revoke, gateway, "bench")
            stored_at = await _last_stored(http, gateway, act)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        if sender.cut_at is None:
            raise StepError("the live session goes on after the revocation")
        if sender.sessions_since(sender.cut_at):
            raise StepError("the broker let the revoked gateway in again")
        return Revoked(sender.cut_at - act, listener.heard_at - act, stored_at - act)


async def _last_stored(http: HubHttp, gateway: str, act: float) -> float:
    """Return when the last batch was stored, by `time.monotonic()`; `act` when none was after it."""
    stored, stored_at = 0, act
    while time.monotonic() < act + WATCHED_S:
        found = await asyncio.to_thread(http.received, gateway)
        if found > stored:
            stored, stored_at = found, time.monotonic()
        await asyncio.sleep(_LOOK_S)
    return stored_at


async def heng(*words: str) -> None:
    """Run a subcommand to its end; `StepError` when it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *words),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    if process.returncode:
        raise StepError(f"heng {words[0]} ended with {process.returncode}: {told.decode(errors='replace')}")


async def _until(holds: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Ask, in a thread, until it holds; `StepError` when that takes too long."""
    ends = time.monotonic() + timeout_s
    while not await asyncio.to_thread(holds):
        if time.monotonic() > ends:
            raise StepError(otherwise)
        await asyncio.sleep(_LOOK_S)


def _table(first_s: float, enrolled: Enrolments, revoked: Revoked) -> None:
    thousand = enrolled.seconds * 1000 / enrolled.number
    rows = [
        ("claim code to first stored reading", f"{first_s:.1f} s"),
        (f"1,000 enrolments (of {enrolled.number:,})", f"{thousand:.1f} s"),
        ("slowest enrolment", f"{enrolled.slowest_s:.2f} s"),
        ("revoked to session cut", f"{revoked.cut_s:.2f} s"),
        ("revoked to last message delivered", f"{revoked.heard_s:.2f} s"),
        ("revoked to last batch stored", f"{revoked.stored_s:.2f} s"),
    ]
    print("heng bench provision: a hub, its broker and its database; gateways on the same machine")
    for what, figure in rows:
        print(f"  {what:<44} {figure}")
