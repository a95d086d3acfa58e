"""The whole system on this machine: what is started in which order, and stopped in the reverse one.

PostgreSQL, broker, hub, simulated devices, three gateways; each is a process of its own and ends with us.
Everything it keeps lies in one folder, with which a later run continues.
"""

import asyncio
import fcntl
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from cli.demo import accounts, alarms, card_key, control, files, rights, web
from cli.demo import running as running_file
from cli.demo.service import Service, heng
from cli.embedded import processes
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.processes import ProcessError
from cloud.store.migrate import install_timescaledb, upgrade
from provisioning.ca import CertificateAuthority

READY_S = 60.0
REVIVALS_MAX = 100
"""So often may parts be killed until something else than a person must be doing it."""
_LOOK_S = 0.3

Tell = Callable[[str], None]


class DemoError(Exception):
    """The demo cannot start or cannot go on; the text says which part and why."""


class FolderInUseError(DemoError):
    """Another demo runs in this folder."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the demo is asked for."""

    folder: Path
    port: int | None
    """For the pages; None takes 8080, or another one when that is taken."""
    log_readings: bool
    """Whether the simulators write down every answer that they give out."""


@dataclass(frozen=True, slots=True)
class System:
    """A running demo."""

    folder: Path
    port: int
    visitor: web.Visitor
    """The administrator, signed in."""
    dsn: str
    """Of the role that services use."""
    simulators: Path
    """Where simulated devices write down what they gave out."""
    gateways: tuple[str, ...]
    since: float
    """When the gateways were started, UTC seconds: what is older is of an earlier run."""
    services: tuple[Service, ...]
    embedded: tuple[EmbeddedPostgres | EmbeddedMosquitto, ...]

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"http://127.0.0.1:{self.port}/"

    def journal(self, gateway: str) -> Path:
        """Return the file of a gateway's journal."""
        return self.folder / "gateways" / gateway / "data" / "journal.db"

    def tell_where(self) -> None:
        """Write down where pages and parts are, for those who have something happen here."""
        parts = {part.name: part.pid for part in self.services}
        running_file.tell(self.folder, self.port, parts | {part.role: part.pid for part in self.embedded})

    def check_running(self) -> None:
        """Raise `DemoError` that names the first part that has ended by itself."""
        for service in self.services:
            if service.pid is None:
                raise DemoError(_ending(service))
        for part in self.embedded:
            if part.pid is None:
                raise DemoError(f"the {part.role} ended by itself; see {part.log}")

    async def watch(self, tell: Tell) -> None:
        """Look after the parts: start again what was killed; raise `DemoError` when one fails by itself."""
        revivals = 0
        while True:
            for part in (*self.embedded, *self.services):
                if part.pid is None:
                    revivals += 1
                    await _revive(part, revivals, tell)
                    self.tell_where()
            await asyncio.sleep(_LOOK_S)


async def _revive(part: Service | EmbeddedPostgres | EmbeddedMosquitto, revivals: int, tell: Tell) -> None:
    if isinstance(part, Service):
        if part.exit_code != -signal.SIGKILL or revivals > REVIVALS_MAX:
            raise DemoError(_ending(part))
        tell(f"{part.name} was killed; starting it again")
    else:
        if revivals > REVIVALS_MAX:
            raise DemoError(f"the {part.role} ended by itself; see {part.log}")
        tell(f"the {part.role} was killed; starting it again")
        await part.stop()
    await part.start()


def _ending(service: Service) -> str:
    return f"{service.name} ended with {service.exit_code}; its log is {service.log}\n{service.log_tail()}"


@asynccontextmanager
async def running(wish: Wish, tell: Tell) -> AsyncIterator[System]:
    """Start everything, wait until each gateway is online, and stop it all when the block is left."""
    folder = wish.folder.absolute()
    _make_folders(folder)
    said = _Progress(tell)
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(folder))
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        await _prepare(postgres.owner_dsn)
        said(f"PostgreSQL keeps the readings (port {postgres.port})")
        authority = _authority(folder)
        port, media_port = _kept_port(folder / "broker-port"), _kept_port(folder / "media-port")
        broker = await stack.enter_async_context(
            EmbeddedMosquitto(folder / "broker", authority, gateway_port=port)
        )
        said(f"Mosquitto carries them, TLS 1.3 only (port {broker.gateway_port})")
        simulators, offered = await _start_simulators(stack, wish)
        said("simulated devices speak Modbus, OSDP, SCPI, RTSP, NMEA to gpsd, NUT, BLE to BlueZ, and more")
        await _declare(folder, offered, owner_dsn=postgres.owner_dsn, tell=tell)
        await card_key.hand_over(folder, postgres.owner_dsn)
        hub, port = await _start_hub(
            stack, wish, authority, postgres=postgres, broker=broker, media_port=media_port
        )
        password = accounts.password_of(folder)
        visitor = await web.sign_in(port, accounts.ADMINISTRATOR.login, password)
        await rights.enter(visitor)
        said("the hub is ready, its four users can sign in, and know who may pass which door")
        since = time.time()
        gateways = [
            await _start_gateway(
                stack,
                folder,
                authority,
                ports=(broker.gateway_port, media_port),
                offer=(name, offer),
                tell=tell,
            )
            for name, offer in offered.items()
        ]
        system = System(
            folder=folder,
            port=port,
            visitor=visitor,
            dsn=postgres.hub_dsn,
            simulators=folder / "simulators",
            gateways=tuple(offered),
            since=since,
            services=(hub, simulators, *gateways),
            embedded=(postgres, broker),
        )
        await _until_online(system)
        await alarms.enter(visitor)
        said(f"gateways {', '.join(offered)} are online")
        system.tell_where()
        try:
            yield system
        finally:
            running_file.forget(folder)
        tell("stopping")


class _Progress:
    """Says what is done and how long it took."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = time.monotonic()

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        self._tell(f"{now - self._last:5.1f} s  {text}")
        self._last = now


def _make_folders(folder: Path) -> None:
    for name in ("logs", "simulators", "gateways"):
        (folder / name).mkdir(parents=True, exist_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two demos never share it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(f"{folder}: another demo uses this folder") from None
        yield
    finally:
        os.close(descriptor)


async def _prepare(owner_dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(owner_dsn, autocommit=True) as connection:
        await install_timescaledb(connection)
        await upgrade(connection)


def _authority(folder: Path) -> CertificateAuthority:
    if (folder / "ca").exists():
        return CertificateAuthority.load(folder / "ca")
    authority = CertificateAuthority.create(folder / "ca", now=datetime.now(UTC))
    authority.issue_hub("hub", now=datetime.now(UTC))
    return authority


async def _start_simulators(
    stack: AsyncExitStack, wish: Wish
) -> tuple[Service, Mapping[str, Mapping[str, Any]]]:
    folder = wish.folder.absolute()
    ports = folder / "simulators" / "ports.json"
    words: list[str | Path] = ["simulate", "--scenario", "demo", "--ports-file", ports, "--keep-ports"]
    words += ["--folder", folder / "simulators", *(["--log-readings"] if wish.log_readings else [])]
    service = Service("simulators", words, log=folder / "logs" / "simulators.log")

    async def announced() -> bool:
        """The file of an earlier run stays until this one has written its own."""
        return ports.exists() and json.loads(ports.read_text()).get("pid") == service.pid

    await _start(stack, service, announced)
    return service, json.loads(ports.read_text())["gateways"]


async def _declare(
    folder: Path, offered: Mapping[str, Mapping[str, Any]], *, owner_dsn: str, tell: Tell
) -> None:
    file = folder / "site.toml"
    if said := files.write_unless_edited(file, files.site_file(offered)):
        tell(f"sites: {said}")
    command = heng(
        ("site", "apply", file),
        log=folder / "logs" / "site.log",
        environment={"HENG_OWNER_DATABASE_URL": owner_dsn},
    )
    await processes.run(command, timeout_s=READY_S)
    people = folder / "people.toml"
    people.touch(mode=0o600)
    people.write_text(accounts.people_file(accounts.password_of(folder)), encoding="utf-8")
    command = heng(
        ("people", "apply", people),
        log=folder / "logs" / "people.log",
        environment={"HENG_DATABASE_URL": owner_dsn},
    )
    await processes.run(command, timeout_s=READY_S)


async def _start_hub(
    stack: AsyncExitStack,
    wish: Wish,
    authority: CertificateAuthority,
    *,
    postgres: EmbeddedPostgres,
    broker: EmbeddedMosquitto,
    media_port: int,
) -> tuple[Service, int]:
    port = await _page_port(wish.port)
    service = Service(
        "hub",
        ("hub",),
        log=wish.folder.absolute() / "logs" / "hub.log",
        environment={
            "HENG_DATABASE_URL": postgres.hub_dsn,
            "HENG_MQTT_URL": broker.hub_url,
            "HENG_IDENTITY": str(authority.folder / "hubs" / "hub"),
            "HENG_HTTP_PORT": str(port),
            "HENG_MEDIA_PORT": str(media_port),
            "HENG_MEDIA_FOLDER": str(wish.folder.absolute() / "media"),
            "HENG_MEDIA_CERTIFICATE": str(authority.broker_folder),
            "HENG_ENROL_CA": str(authority.folder.absolute()),
            "HENG_NOTIFY_LOCAL": "1",
            "HENG_ENROL_PORT": str(_kept_port(wish.folder / "enrol-port")),
            "HENG_GATEWAY_BROKER_URL": f"mqtts://127.0.0.1:{broker.gateway_port}",
            "HENG_BROKER_CRL": str(broker.revocations),
            "HENG_BROKER_PID_FILE": str(broker.pid_file),
        },
    )

    async def ready() -> bool:
        return await web.is_ready(port)

    await _start(stack, service, ready)
    return service, port


def _kept_port(file: Path) -> int:
    """Return the port of the run before, so that settings that a person edited still fit, or another."""
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    if not processes.is_free(port):
        port = processes.free_port()
    file.write_text(f"{port}\n")
    return port


async def _page_port(wished: int | None) -> int:
    port = wished or 8080
    if not await processes.accepts(port):
        return port
    if wished is not None:
        raise DemoError(f"port {wished} is in use; choose another with --port")
    return processes.free_port()


async def _start_gateway(
    stack: AsyncExitStack,
    folder: Path,
    authority: CertificateAuthority,
    *,
    ports: tuple[int, int],
    offer: tuple[str, Mapping[str, Any]],
    tell: Tell,
) -> Service:
    name, offered = offer
    uplink_port, media_port = ports
    home = folder / "gateways" / name
    if not (home / "identity").exists():
        authority.issue_gateway(name, home / "identity", now=datetime.now(UTC))
    (home / "data").mkdir(parents=True, exist_ok=True)
    card_key.lay(folder, home / "data")
    for device, keys in offered["keys"].items():
        files.place_keys(Path(keys), home / "data" / device)
    file = home / "settings.toml"
    text = files.gateway_settings(
        name,
        offered["device"],
        data=home / "data",
        identity=home / "identity",
        uplink_port=uplink_port,
        media_port=media_port,
        control=control.tables_of(name),
    )
    if said := files.write_unless_edited(file, text):
        tell(f"{name}: {said}")
    service = Service(
        name,
        ("edge", "--settings", file),
        log=folder / "logs" / f"{name}.log",
        environment=offered["environment"],
    )
    stack.push_async_callback(service.stop)
    await service.start()
    return service


async def _start(stack: AsyncExitStack, service: Service, ready: Callable[[], Any]) -> None:
    stack.push_async_callback(service.stop)
    await service.start()

    async def settled() -> bool:
        return service.pid is None or await ready()

    in_time = await processes.until(settled, timeout_s=READY_S)
    if service.pid is None:
        raise DemoError(_ending(service))
    if not in_time:
        raise ProcessError(f"{service.name} is not ready after {READY_S:.0f} s\n{service.log_tail()}")


async def _until_online(system: System) -> None:
    async def online() -> bool:
        system.check_running()
        try:
            listed = (await system.visitor.get("/api/gateways")).json()["items"]
        except OSError:
            return False
        return {row["name"] for row in listed if row["online"]} >= set(system.gateways)

    if not await processes.until(online, timeout_s=READY_S):
        raise DemoError(f"the gateways are not online after {READY_S:.0f} s; see {system.folder / 'logs'}")
