"""Which database a command works on: a URL, one of the environment, or that of a hub's data folder."""

import argparse
import os
import sys
from pathlib import Path

from cli.embedded.postgres import HUB, OWNER, running_dsn
from cli.embedded.processes import ProcessError

DATA = Path("heng-data")
"""Where `heng hub` keeps its data when it is not told otherwise."""
_OWNER_URL, _HUB_URL = "HENG_OWNER_DATABASE_URL", "HENG_DATABASE_URL"


def add_database_options(parser: argparse.ArgumentParser, *, owner: bool) -> None:
    """Declare --database-url and --data; `owner`: the command prefers the role that owns the tables."""
    names = (_OWNER_URL, _HUB_URL) if owner else (_HUB_URL, _OWNER_URL)
    parser.add_argument("--database-url", help=f"default: {names[0]}, then {names[1]}")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="of a running `heng hub` with a database of its own, instead of a URL; without all of these:"
        f" {DATA}, when it is there",
    )
    parser.set_defaults(database_names=names)


def chosen_database(arguments: argparse.Namespace, program: str) -> str | None:
    """Return the URL that was chosen; None, with one sentence on standard error, when there is none."""
    try:
        return _chosen(arguments)
    except (_NoneError, ProcessError) as error:
        print(f"heng {program}: {error}", file=sys.stderr)
        return None


def embedded_identity(arguments: argparse.Namespace) -> Path | None:
    """Return the identity folder of the hub whose data folder was chosen; None when there is none there."""
    data: Path | None = arguments.data
    if data is None:
        names: tuple[str, str] = arguments.database_names
        if arguments.database_url or any(os.environ.get(name) for name in names):
            return None
        data = DATA
    folder = data / "ca" / "hubs" / "hub"
    return folder if folder.is_dir() else None


class _NoneError(Exception):
    """There is no database to work on."""


def _chosen(arguments: argparse.Namespace) -> str:
    names: tuple[str, str] = arguments.database_names
    data: Path | None = arguments.data
    given: str | None = arguments.database_url
    if given and data is not None:
        raise _NoneError("--database-url and --data name two databases: give one of them")
    if given:
        return given
    if data is None:
        told = next((os.environ[name] for name in names if os.environ.get(name)), None)
        if told is not None:
            return told
        if not (DATA / "postgres").is_dir():
            raise _NoneError(f"no database: give --data or --database-url, or set {names[0]}")
        data = DATA
    return running_dsn(data / "postgres", OWNER if names[0] == _OWNER_URL else HUB)
