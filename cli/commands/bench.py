"""`heng bench`: measures what the README claims; each measurement is a module of `benchmarks`."""

import argparse
import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from cli.demo import files
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.postgres import EmbeddedPostgres
from provisioning.ca import CertificateAuthority

WORDS = {
    "ingest": "readings per second, published to committed and acknowledged, beside bare COPY",
    "edge": "memory, processor time, bytes, latency and peak rate of one gateway; --all: with every driver",
    "alarms": "a storm of alarms: rows, rounds of messages, and answers of the page meanwhile",
    "control": "trips, breach to safe state, decisions at doors, revocations and commands",
    "journal": "rates, size, start-up time and wear of the gateway's journal",
    "provision": "claim code to first reading, a thousand enrolments, how quickly a revoked gateway is out",
    "storage": "bytes on disk per reading, and the API's answer for a year",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add a subcommand for each measurement; its module is imported when it runs."""
    words = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for word, text in WORDS.items():
        sub = words.add_parser(word, help=text, description=text)
        importlib.import_module(f"benchmarks.{word}").configure(sub)
        sub.set_defaults(start_server=_server, start_broker=_broker, write_gateway=_gateway)


def run(arguments: argparse.Namespace) -> int:
    """Run one measurement."""
    code: int = importlib.import_module(f"benchmarks.{arguments.what}").run(arguments)
    return code


def _server(folder: Path) -> AbstractAsyncContextManager[EmbeddedPostgres]:
    return EmbeddedPostgres(folder)


def _broker(folder: Path, authority: CertificateAuthority) -> AbstractAsyncContextManager[EmbeddedMosquitto]:
    return EmbeddedMosquitto(folder, authority)


def _gateway(home: Path, offered: Mapping[str, Any], *, identity: Path, port: int) -> Path:
    """Write the settings and keys of a gateway among simulated devices; return the settings file."""
    data, file = home / "data", home / "settings.toml"
    data.mkdir(parents=True)
    for device, keys in offered["keys"].items():
        files.place_keys(Path(keys), data / device)
    text = files.gateway_settings(
        home.name, offered["device"], data=data, identity=identity, uplink_port=port
    )
    file.write_text(text, encoding="utf-8")
    return file
