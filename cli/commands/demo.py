"""`heng demo`: everything on this machine with simulated devices; `--check` verifies it without a person."""

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import psycopg

from cli.demo.accounts import USERS, password_of
from cli.demo.check import check
from cli.demo.entering import EnteringError
from cli.demo.page import demo_page
from cli.demo.system import DemoError, FolderInUseError, System, Wish, running
from cli.embedded.processes import ProcessError
from cloud.store.migrate import SchemaError
from provisioning.errors import ProvisioningError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        metavar="DIR",
        help="keeps everything; a later run continues with it (default: %(default)s)",
    )
    parser.add_argument("--port", type=_port, help="of the pages (default: 8080, or a free one)")
    parser.add_argument("--check", action="store_true", help="verify the main job from outside, then stop")
    parser.add_argument("--json", action="store_true", help="with --check: print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM, or check once; 1 when something failed, 2 for a folder in use."""
    try:
        return asyncio.run(_run(arguments))
    except FolderInUseError as error:
        print(f"heng demo: {error}", file=sys.stderr)
        return 2
    except (
        DemoError,
        ProcessError,
        EnteringError,
        ProvisioningError,
        SchemaError,
        psycopg.Error,
    ) as error:
        print(f"heng demo: {error}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace) -> int:
    wish = Wish(arguments.data, arguments.port, log_readings=arguments.check)
    stop = _Stop()
    try:
        async with running(wish, _tell) as system:
            if arguments.check:
                return await _check(system, as_json=arguments.json)
            logins = ", ".join(user.login for user in USERS)
            _tell(f"sign in as {logins}; the password of each is {password_of(system.folder)}")
            async with demo_page(system.folder, system.address) as port:
                _tell(f"scenarios to play, with buttons: http://127.0.0.1:{port}/")
                _tell(f"open {system.address}    (Ctrl-C stops everything)")
                await system.watch(_tell)
    except asyncio.CancelledError:
        if not stop.asked:
            raise
    _tell("stopped")
    return 1 if arguments.check else 0


class _Stop:
    """Turns the first SIGINT or SIGTERM into the end of the running task; later ones change nothing."""

    def __init__(self) -> None:
        self.asked = False
        self._task = asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._ask)

    def _ask(self) -> None:
        if not self.asked and self._task is not None:
            self.asked = True
            self._task.cancel()


async def _check(system: System, *, as_json: bool) -> int:
    _tell(f"checking {system.address}")
    checks = await check(system)
    ok = all(one.ok or one.note for one in checks)
    if as_json:
        print(json.dumps({"ok": ok, "checks": [asdict(one) for one in checks]}, ensure_ascii=False))
    else:
        for one in checks:
            mark = "ok  " if one.ok else "NOTE" if one.note else "FAIL"
            print(f"{mark}  {one.name}: {one.answer}")
    return 0 if ok else 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise argparse.ArgumentTypeError("expected 1 to 65535")
    return port
