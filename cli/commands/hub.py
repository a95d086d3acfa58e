"""`heng hub`: ingest, watch, API and pages in one process.

With HENG_DATABASE_URL and HENG_MQTT_URL it uses services that are there. Without them it runs a PostgreSQL
and a Mosquitto of its own in the data folder, with a certificate authority made at the first start.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from cli.commands.hub_process import run_process, run_to_end
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import EmbeddedPostgres
from cli.embedded.processes import ProcessError
from cloud.enrol.settings import PORT
from cloud.hub import ROOMS, settings_of
from cloud.settings import HubSettings, SettingsError, broker_of_url
from cloud.store.migrate import SchemaError, install_timescaledb, upgrade
from provisioning.ca import CertificateAuthority
from provisioning.claim import bracketed
from provisioning.errors import IdentityError

_UNTIL_STARTED = {"HENG_DATABASE_URL": "host=127.0.0.1", "HENG_MQTT_URL": "mqtts://127.0.0.1"}
"""Stand for the embedded services while all other settings are checked: their ports are not known yet."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument("--data", type=Path, default=Path("heng-data"), help="folder of embedded services")
    parser.add_argument("--identity", type=Path, help="of this worker; default: HENG_IDENTITY")
    parser.add_argument("--port", type=int, help="of pages and API; default: HENG_HTTP_PORT, then 8080")
    parser.add_argument("--gateway-port", type=int, default=8883, help="of the embedded broker")


def run(arguments: argparse.Namespace) -> int:
    """Run the hub until SIGTERM."""
    embedded = "HENG_DATABASE_URL" not in os.environ and "HENG_MQTT_URL" not in os.environ
    given = dict(os.environ) | (_UNTIL_STARTED if embedded else {})
    if embedded:
        given = _enrolling(given, arguments)
    identity = arguments.data / "ca" / "hubs" / "hub" if embedded else arguments.identity
    try:
        settings = settings_of(given, ROOMS, port=arguments.port, identity=identity)
    except SettingsError as error:
        for fault in error.faults:
            print(f"heng hub: {fault}", file=sys.stderr)
        return 2
    if not embedded:
        return run_to_end(run_process(settings, ROOMS))
    try:
        return run_to_end(_run_embedded(arguments, settings, given))
    except (ProcessError, IdentityError, SchemaError, psycopg.Error) as error:
        print(f"heng hub: {error}", file=sys.stderr)
        return 1


def _enrolling(given: Mapping[str, str], arguments: argparse.Namespace) -> dict[str, str]:
    """Have an embedded hub enrol gateways too, at its own broker, unless the settings say otherwise."""
    url = given.get("HENG_ENROL_URL") or f"https://127.0.0.1:{given.get('HENG_ENROL_PORT', PORT)}"
    host = urlsplit(url).hostname or "127.0.0.1"
    broker = f"mqtts://{bracketed(host)}:{arguments.gateway_port}"
    return {
        "HENG_GATEWAY_BROKER_URL": broker,
        "HENG_MEDIA_FOLDER": str(arguments.data / "media"),
        "HENG_MEDIA_CERTIFICATE": str(arguments.data / "ca" / "broker"),
        **given,
        "HENG_ENROL_CA": str(arguments.data / "ca"),
    }


async def _run_embedded(
    arguments: argparse.Namespace, given: HubSettings, environment: Mapping[str, str]
) -> int:
    authority, identity = _identities(arguments.data / "ca")
    async with (
        EmbeddedPostgres(arguments.data / "postgres") as postgres,
        EmbeddedMosquitto(
            arguments.data / "broker", authority, gateway_port=arguments.gateway_port
        ) as broker,
    ):
        await prepare_database(postgres)
        print(f"heng: gateways connect to mqtts://127.0.0.1:{broker.gateway_port}", flush=True)
        settings = replace(
            given, database_url=postgres.hub_dsn, broker=broker_of_url(broker.hub_url), identity=identity
        )
        return await run_process(settings, ROOMS, environment=environment, reload_broker=broker.reload)


async def prepare_database(postgres: EmbeddedPostgres) -> None:
    """Install the extension where there is one, and bring the tables up to date."""
    async with await psycopg.AsyncConnection.connect(postgres.admin_dsn, autocommit=True) as connection:
        await install_timescaledb(connection)
    async with await psycopg.AsyncConnection.connect(postgres.owner_dsn, autocommit=True) as connection:
        await upgrade(connection)


def _identities(folder: Path) -> tuple[CertificateAuthority, Path]:
    now = datetime.now(UTC)
    if (folder / "root-cert.pem").exists():
        authority = CertificateAuthority.load(folder)
    else:
        authority = CertificateAuthority.create(folder, now=now)
    identity = folder / "hubs" / "hub"
    if not identity.exists():
        authority.issue_hub("hub", now=now)
    return authority, identity
