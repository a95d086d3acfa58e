"""`heng ingest`, `heng watch`, `heng web`, `heng est`: one room of the hub as a process of its own."""

import argparse
import os
import sys
from pathlib import Path

from cli.commands.hub_process import run_process, run_to_end
from cloud.hub import settings_of
from cloud.settings import SettingsError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument("--identity", type=Path, help="of this worker; default: HENG_IDENTITY")
    parser.add_argument("--port", type=int, help="of pages and API; default: HENG_HTTP_PORT, then 8080")


def run(arguments: argparse.Namespace) -> int:
    """Run the room named by the subcommand until SIGTERM."""
    rooms = (arguments.command,)
    try:
        settings = settings_of(os.environ, rooms, port=arguments.port, identity=arguments.identity)
    except SettingsError as error:
        for fault in error.faults:
            print(f"heng {arguments.command}: {fault}", file=sys.stderr)
        return 2
    return run_to_end(run_process(settings, rooms))
