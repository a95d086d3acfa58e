"""Composes the rooms of one hub process: ingest, watch, web with the API, and enrolment (EST).

One process runs all of them on one machine; each can be a process of its own as well. This is the only
place that builds the real clock, pool and server. Pages and API listen where the settings say: on this
machine alone while there are no accounts, and beyond it only with TLS.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import SystemRandom

import psycopg
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from cloud.alarms.room import AlarmRoom, sender_of
from cloud.api.app import create_app
from cloud.api.entrance import EntranceLimits
from cloud.api.services import Services
from cloud.browsers import listener_config
from cloud.control.room import ControlRoom
from cloud.endings import Endings, looks_of
from cloud.enrol.service import open_enrolment
from cloud.enrol.settings import read_enrol_settings
from cloud.identity.doors import Limits
from cloud.identity.heads import keep_heads
from cloud.ingest.service import BROKER as INGEST_BROKER
from cloud.ingest.service import Ingest
from cloud.jobs.room import JobsRoom
from cloud.media.room import MediaRoom, open_room
from cloud.media.settings import read_media_settings
from cloud.notify.settings import read_mail_server, read_notify_local
from cloud.operation.room import OperationRoom
from cloud.pool import open_pool
from cloud.rights.room import RightsRoom
from cloud.settings import HubSettings, SettingsError, from_environment, is_loopback
from cloud.store.accounts import any_account
from cloud.store.connection import open_connection
from cloud.store.migrate import SchemaError, check_version
from cloud.store.rollups import keep_rollups
from cloud.store.sign_in import sign_in_fault
from cloud.store.snapshot import Pool
from cloud.supervisor import Health, end, supervise
from cloud.tools import Tools
from cloud.watch.service import BROKER as WATCH_BROKER
from cloud.watch.service import Watch
from cloud.watch.settings import SettingsRoom
from cloud.web.api_page import mount_api_page
from cloud.web.assets import library_faults
from cloud.web.errors import mount_errors
from cloud.web.feed import LiveFeed
from cloud.web.pages import mount
from cloud.web.settings import read_settings
from provisioning.identity import HubIdentity

_log = logging.getLogger(__name__)

ROOMS = ("ingest", "watch", "web", "est")
_POOL_MAX = 8
_STOP_S = 3.0
"""How long open requests may take to end."""
_WAIT_S = 1.0


def now() -> datetime:
    """Return the time, aware UTC."""
    return datetime.now(UTC)


def settings_of(
    environment: Mapping[str, str],
    rooms: tuple[str, ...],
    *,
    port: int | None = None,
    identity: Path | None = None,
) -> HubSettings:
    """Return the settings of these rooms; `SettingsError` lists every fault, those of the pages too."""
    faults: list[str] = []
    settings = None
    try:
        settings = from_environment(environment, port=port, identity=identity)
    except SettingsError as error:
        faults += error.faults
    if "web" in rooms:
        try:
            faults += library_faults(read_settings(environment))
        except SettingsError as error:
            faults += error.faults
        try:
            read_media_settings(environment)
        except SettingsError as error:
            faults += error.faults
    if "watch" in rooms:
        try:
            read_mail_server(environment)
        except SettingsError as error:
            faults += error.faults
    if "watch" in rooms or "web" in rooms:
        try:
            read_notify_local(environment)
        except SettingsError as error:
            faults += error.faults
    if "est" in rooms:
        try:
            if read_enrol_settings(environment) is None and rooms == ("est",):
                faults.append("HENG_ENROL_CA: expected the folder that `heng ca init` made")
        except SettingsError as error:
            faults += error.faults
    if settings is None or faults:
        raise SettingsError(faults)
    return settings


async def run_hub(
    settings: HubSettings,
    rooms: tuple[str, ...],
    *,
    environment: Mapping[str, str],
    stop: asyncio.Event,
    ready: Callable[[str], None],
    reload_broker: Callable[[], None] | None = None,
) -> None:
    """Run rooms until `stop` is set; `ready` is given the address of the pages, or the names of the rooms.

    Raises `SchemaError` when the tables are not those of this code, `IdentityError` and `SettingsError`
    before anything is started (also when the database refuses user or password), `OSError` when the port
    is taken. `reload_broker` has a broker of this process read its files again.
    """
    identity = HubIdentity.load(settings.identity)
    await _until_database(settings, stop)
    if stop.is_set():
        return
    if "web" in rooms:
        await _check_listening(settings)
    health = Health()
    tools = Tools(settings, identity, health, SystemRandom(), now)
    registry = CollectorRegistry()
    stored = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        told = ", ".join(rooms)
        endings = Endings(looks_of(settings, rooms, environment), now)
        parts: list[Coroutine[None, None, None]] = []
        if "web" in rooms:
            composed = _web(tools, rooms, registry, environment=environment, endings=endings)
            web = await stack.enter_async_context(composed)
            told = f"{'http' if settings.certificate is None else 'https'}://{settings.host}:{web.port}/"
            parts += web.parts(stored, stop)
        if "ingest" in rooms:
            parts.append(Ingest(tools, registry, stored=stored.set).run())
        if "watch" in rooms:
            parts += [Watch(tools, registry).run(), SettingsRoom(tools).run(), ControlRoom(tools).run()]
            parts.append(AlarmRoom(tools, sender_of(environment, tools)).run())
            parts.append(RightsRoom(tools).run())
            parts += [JobsRoom(tools).run(), OperationRoom(tools).run()]
        if "est" in rooms:
            asked = read_enrol_settings(environment)
            enrolment = stack.enter_context(open_enrolment(asked, tools, reload_broker))
            if enrolment is not None:
                parts.append(enrolment.run())
        parts.append(supervise("certificates", endings.run, health=health, random=tools.random))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(part) for part in parts]
        ready(told)
        await stop.wait()
        await end(tasks)


async def _until_database(settings: HubSettings, stop: asyncio.Event) -> None:
    """Wait for a database that answers, and check its schema; `stop` ends that at any moment."""
    lost = False
    while not stop.is_set():
        async with asyncio.TaskGroup() as group:
            checking = group.create_task(_database_fault(settings))
            stopping = group.create_task(stop.wait())
            await asyncio.wait((checking, stopping), return_when=asyncio.FIRST_COMPLETED)
            checking.cancel()
            stopping.cancel()
        fault = None if checking.cancelled() else checking.result()
        if isinstance(fault, SchemaError):
            raise fault
        if fault is None:
            return
        if refused := sign_in_fault(settings.database_url, fault):
            raise SettingsError([refused])
        if not lost:
            _log.warning("waiting for the database: %s", fault)
        lost = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WAIT_S)


async def _check_listening(settings: HubSettings) -> None:
    """Raise `SettingsError` for TLS files that are none, and for a hub open to others without any account."""
    if settings.certificate is not None and settings.key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
        except (OSError, ssl.SSLError) as error:
            told = f"HENG_HTTP_CERTIFICATE {str(settings.certificate)!r}, HENG_HTTP_KEY {str(settings.key)!r}"
            raise SettingsError([f"{told}: expected a certificate and its key: {error}"]) from None
    if is_loopback(settings.host):
        return
    async with open_connection(settings.database_url, "start") as connection:
        if not await any_account(connection):
            told = (
                f"HENG_HTTP_HOST {settings.host}: nobody would be asked who they are, for there is no account"
            )
            wanted = "an address of this machine, or first: heng people add-administrator"
            raise SettingsError([f"{told}; expected {wanted}"])


async def _database_fault(settings: HubSettings) -> psycopg.OperationalError | SchemaError | None:
    try:
        async with open_connection(settings.database_url, "start") as connection:
            await check_version(connection)
    except (psycopg.OperationalError, SchemaError) as fault:
        return fault
    return None


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _Web:
    """The HTTP server, the live feed, the rollups, and the listener for what gateways bring."""

    def __init__(
        self,
        tools: Tools,
        *,
        app: FastAPI,
        pool: Pool,
        feed: LiveFeed,
        media: MediaRoom | None,
        listener: socket.socket,
    ) -> None:
        self._tools = tools
        self._media = media
        self._pool = pool
        self._feed = feed
        self._listener = listener
        self._server = _Server(
            listener_config(app, certificate=tools.settings.certificate, key=tools.settings.key)
        )
        self.port: int = listener.getsockname()[1]

    def parts(self, stored: asyncio.Event, stop: asyncio.Event) -> list[Coroutine[None, None, None]]:
        """Return what runs until cancelled."""
        health, chance = self._tools.health, self._tools.random

        async def rollups(up: Callable[[], None]) -> None:
            up()
            await keep_rollups(self._pool, stored, stop)
            await stop.wait()

        async def heads(up: Callable[[], None]) -> None:
            up()
            await keep_heads(
                self._pool,
                self._tools.identity.signer,
                file=self._tools.settings.audit_heads,
                now=self._tools.now,
            )

        found = [
            self._serve(),
            supervise("web: audit heads", heads, health=health, random=chance),
            supervise("web: feed", self._feed.run, health=health, random=chance),
            supervise("web: rollups", rollups, health=health, random=chance),
        ]
        if self._media is not None:
            found.append(supervise("media", self._media.run, health=health, random=chance))
        return found

    async def _serve(self) -> None:
        """Serve until cancelled, then let open requests end."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._server.serve(sockets=[self._listener]))
            try:
                await asyncio.Event().wait()
            finally:
                self._feed.close()
                if self._media is not None:
                    self._media.close()
                self._server.should_exit = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(serving), _STOP_S)


@contextlib.asynccontextmanager
async def _web(
    tools: Tools,
    rooms: tuple[str, ...],
    registry: CollectorRegistry,
    *,
    environment: Mapping[str, str],
    endings: Endings,
) -> AsyncIterator[_Web]:
    settings = tools.settings
    brokers = tuple(
        part for room, part in (("ingest", INGEST_BROKER), ("watch", WATCH_BROKER)) if room in rooms
    )
    with socket.create_server((settings.host, settings.port)) as listener:
        async with (
            open_pool(settings.database_url, "web", most=_POOL_MAX) as pool,
            open_room(read_media_settings(environment), tools, pool) as media,
        ):
            services = Services(
                pool=pool,
                now=tools.now,
                broker_connected=lambda: not tools.health.missing(brokers),
                registry=registry,
                media=media,
                ending=endings.near,
                notify_local=read_notify_local(environment),
            )
            limits = Limits(
                timedelta(minutes=settings.session_idle_min), timedelta(hours=settings.session_hours)
            )
            entrance = EntranceLimits(hosts=frozenset({settings.host}))
            app = create_app(services, limits=limits, entrance=entrance)
            feed = LiveFeed(settings.database_url, now=tools.now)
            mount(
                app,
                pool=pool,
                feed=feed,
                settings=read_settings(environment),
                now=tools.now,
                broker_connected=services.broker_connected,
            )
            mount_api_page(app, app.state.web.render)
            mount_errors(app, app.state.web.render)
            yield _Web(tools, app=app, pool=pool, feed=feed, media=media, listener=listener)
