"""Builds the system that a campaign breaks: database, broker, hub, gateways, devices, links, disks, clocks.

Everything lies in one folder and ends with the context. It breaks nothing.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg

from cli.demo import web
from cli.demo.service import Service, heng
from cli.embedded import processes
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.processes import ProcessError
from cli.faults import load
from cli.faults.around import Around, open_around
from cli.faults.database import ForeignDatabase
from cli.faults.disk import open_disk
from cli.faults.evidence import Unit, audit, stored_answers
from cli.faults.link import open_link
from cli.faults.load import POINTS, UNITS
from cli.faults.mqtt import Tap
from cli.faults.stage import GatewayStand, Killable, LateGateway, Stage
from cli.faults.wall_clock import WallClock
from cloud.store.migrate import install_timescaledb, upgrade
from provisioning.ca import CertificateAuthority
from wire import topics
from wire.topics import Channel

_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What a campaign is given to build on."""

    folder: Path
    """Empty or new."""
    gateways: tuple[str, ...]
    seed: int
    database_url: str | None
    """A database of somebody's own, as owner of its tables; None for a private server."""
    faketime: Path
    """libfaketime."""
    keep: bool = False
    """Whether the folder outlives the campaign, and is to hold the gateways' disks then."""


@dataclass(frozen=True, slots=True)
class Built:
    """A running system, and what an audit of it needs."""

    stage: Stage
    dsn: str
    timescaledb: bool
    around: Mapping[str, Around]
    """What else stands around each gateway."""

    async def delivered(self, gateway: str, until: float) -> bool:
        """Whether what a gateway's devices gave out until then is stored or explained."""
        mine = [unit for unit in self.units() if unit.gateway == gateway]
        try:
            return (await audit(self.dsn, mine, until)).clean
        except psycopg.OperationalError:
            return False

    def units(self) -> list[Unit]:
        """Return every simulated device, those of late declared points included."""
        found = [
            Unit(
                gateway=name,
                prefix=one.prefix,
                numbering=one.numbering,
                points=one.points,
                windows=gateway.windows,
                goes_on=True,
                given_out=one.answers.given_out,
                values=one.answers.values,
            )
            for name, gateway in self.stage.gateways.items()
            for one in self.around[name].numbered
        ]
        found += [
            Unit(
                gateway=name,
                prefix=unit,
                numbering=f"{unit}/{load.NUMBERING}",
                points=POINTS,
                windows=gateway.windows,
                goes_on=True,
                given_out=partial(gateway.devices.given_out, unit),
                values=partial(gateway.devices.values, unit),
            )
            for name, gateway in self.stage.gateways.items()
            for unit in UNITS
        ]
        late = self.stage.late
        for point, given in late.given_out.items():
            found.append(
                Unit(
                    gateway=late.identity.gateway,
                    prefix=point.split("/")[0],
                    numbering=point,
                    points=1,
                    windows=(),
                    goes_on=False,
                    given_out=partial(dict, given),
                )
            )
        return found


@asynccontextmanager
async def build(ground: Ground) -> AsyncIterator[Built]:
    """Start everything and wait until each gateway has stored something."""
    folder = ground.folder
    for name in ("logs", "clocks", "devices"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    authority = CertificateAuthority.create(folder / "ca", now=datetime.now(UTC))
    async with AsyncExitStack() as stack:
        database, owner_dsn, hub_dsn = await _database(stack, ground)
        timescaledb = await _prepare(owner_dsn)
        hub_identity = authority.issue_hub("hub", now=datetime.now(UTC))
        tap_identity = authority.issue_hub("tap", now=datetime.now(UTC))
        broker = await stack.enter_async_context(EmbeddedMosquitto(folder / "broker", authority))
        tap = Tap(
            tap_identity.client_id("tap"),
            tap_identity.tls_context(),
            [topics.subscription(Channel.UP_BATCH)],
        )
        stack.enter_context(tap.listening(broker.hub_port))
        hub_clock = WallClock(ground.faketime, folder / "clocks" / "hub")
        hub_clock.step(0)
        port = processes.free_port()
        hub = Service(
            "hub",
            ("hub",),
            log=folder / "logs" / "hub.log",
            environment={
                **hub_clock.environment,
                "HENG_DATABASE_URL": hub_dsn,
                "HENG_MQTT_URL": broker.hub_url,
                "HENG_IDENTITY": str(hub_identity.folder),
                "HENG_HTTP_PORT": str(port),
            },
        )
        stack.push_async_callback(hub.stop)
        await _apply_site(ground, owner_dsn)
        await hub.start()
        around = await stack.enter_async_context(
            open_around(ground.gateways, seed=ground.seed, folder=folder / "simulators")
        )
        gateways = {
            name: await _gateway(
                stack, ground, authority, gateway_port=broker.gateway_port, name=name, around=one
            )
            for name, one in around.items()
        }
        stage = Stage(
            folder=folder,
            broker=broker,
            hub=hub,
            database=database,
            gateways=gateways,
            hub_clock=hub_clock,
            tap=tap,
            tap_identity=tap_identity,
            stranger=authority.issue_gateway("stranger", folder / "stranger", now=datetime.now(UTC)),
            gateway_port=broker.gateway_port,
            hub_port=broker.hub_port,
            late=LateGateway(authority.issue_gateway("late", folder / "late", now=datetime.now(UTC))),
            ready=lambda: web.is_ready(port),
            delivered=lambda name, until: built.delivered(name, until),
        )
        built = Built(stage, hub_dsn, timescaledb, around)
        await stage.until_ready(_READY_S)
        await _until_all_deliver(built)
        yield built


async def _until_all_deliver(built: Built) -> None:
    """Wait until something of every device is stored; `ProcessError` names those of which nothing is."""
    silent: list[str] = []

    async def deliver() -> bool:
        units = built.units()
        stored = await stored_answers(built.dsn, units)
        silent[:] = [
            f"{unit.gateway} {unit.prefix}" for unit, count in zip(units, stored, strict=True) if not count
        ]
        return not silent

    if not await processes.until(deliver, timeout_s=_READY_S):
        logs = built.stage.folder / "logs"
        raise ProcessError(f"nothing is stored of {', '.join(silent)} after {_READY_S:.0f} s; see {logs}")


async def _database(stack: AsyncExitStack, ground: Ground) -> tuple[Killable, str, str]:
    if ground.database_url is not None:
        return ForeignDatabase(ground.database_url), ground.database_url, ground.database_url
    postgres = await stack.enter_async_context(EmbeddedPostgres(ground.folder / "postgres"))
    return postgres, postgres.owner_dsn, postgres.hub_dsn


async def _prepare(owner_dsn: str) -> bool:
    async with await psycopg.AsyncConnection.connect(owner_dsn, autocommit=True) as connection:
        timescaledb = await install_timescaledb(connection)
        await upgrade(connection)
    return timescaledb


async def _apply_site(ground: Ground, owner_dsn: str) -> None:
    # A site each: points belong to sites, and all the gateways have points of the same names.
    lines = ['organisation = "Campaign"']
    for name in (*ground.gateways, "late"):
        lines += ["[[site]]", f'name = "{name}"', f'title = "{name}"', 'kind = "laboratory"']
        lines += ["[[gateway]]", f'name = "{name}"', f'site = "{name}"']
    file = ground.folder / "site.toml"
    file.write_text("\n".join(lines) + "\n")
    command = heng(
        ("site", "apply", file),
        log=ground.folder / "logs" / "site.log",
        environment={"HENG_OWNER_DATABASE_URL": owner_dsn},
    )
    await processes.run(command, timeout_s=_READY_S)


async def _gateway(
    stack: AsyncExitStack,
    ground: Ground,
    authority: CertificateAuthority,
    *,
    gateway_port: int,
    name: str,
    around: Around,
) -> GatewayStand:
    home = ground.folder / "gateways" / name
    (home / "data").mkdir(parents=True)
    identity = authority.issue_gateway(name, home / "identity", now=datetime.now(UTC))
    line = await stack.enter_async_context(
        load.open_devices(name, ground.seed, ground.folder / "devices" / f"{name}.jsonl")
    )
    disk = await stack.enter_async_context(open_disk(home / "data", keep=ground.keep))
    link = await stack.enter_async_context(open_link(gateway_port))
    clock = WallClock(ground.faketime, ground.folder / "clocks" / name)
    clock.step(0)
    file = home / "settings.toml"
    text = load.settings(
        name, data=disk.folder, identity=identity.folder, uplink_port=link.port, device_port=line.port
    )
    around.place_keys(disk.folder)
    file.write_text(text + around.settings(), encoding="utf-8")
    process = Service(
        name,
        ("edge", "--settings", file),
        log=ground.folder / "logs" / f"{name}.log",
        environment={**clock.environment, **around.environment},
    )
    stack.push_async_callback(process.stop)
    await process.start()
    return GatewayStand(name, process, line, link, disk, clock, identity)
