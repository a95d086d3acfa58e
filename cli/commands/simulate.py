"""`heng simulate`: runs the devices of a scenario until SIGTERM or Ctrl-C and leaves no process behind."""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from simulators.control import control_server
from simulators.ports import CONTROL, Ports, PortsFileError
from simulators.processes import DaemonError
from simulators.running import Clocks, running
from simulators.scenario import Scenario, ScenarioError, load_scenario


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--scenario", default="demo", metavar="NAME", help="a shipped scenario, or a TOML file"
    )
    parser.add_argument("--seed", type=int, default=1, help="same seed, same truth (default: 1)")
    parser.add_argument(
        "--ports-file", type=Path, metavar="FILE", help="write ports and settings there as JSON"
    )
    parser.add_argument(
        "--keep-ports",
        action="store_true",
        help="take the ports that --ports-file names from an earlier run; refuse when one is taken",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="for logs of devices (default: a temporary one)"
    )
    parser.add_argument(
        "--log-readings", action="store_true", help="log every answer given out, per Modbus line"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the scenario; 0 after SIGTERM, 1 when a daemon fails, 2 for a scenario that cannot be played."""
    if arguments.keep_ports and arguments.ports_file is None:
        print("--keep-ports: expected --ports-file beside it", file=sys.stderr)
        return 2
    try:
        asyncio.run(_simulate(load_scenario(arguments.scenario), arguments))
    except (ScenarioError, PortsFileError) as error:
        print(error, file=sys.stderr)
        return 2
    except DaemonError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _simulate(scenario: Scenario, arguments: argparse.Namespace) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    clocks = Clocks(time.monotonic_ns, time.time)
    ports = Ports.kept_in(arguments.ports_file) if arguments.keep_ports else Ports()
    await ports.check()
    with tempfile.TemporaryDirectory(prefix="heng-simulate-") as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        async with (
            running(
                scenario,
                seed=arguments.seed,
                folder=folder,
                clocks=clocks,
                log_readings=arguments.log_readings,
                ports=ports,
            ) as state,
            control_server(state, ports.of(CONTROL)) as port,
        ):
            told = {"control": port, "pid": os.getpid(), **ports.told(), **state.ports()}
            _announce(told, arguments.ports_file)
            await ended.wait()


def _announce(ports: dict[str, object], file: Path | None) -> None:
    text = json.dumps(ports, indent=1)
    if file is None:
        print(text, flush=True)
        return
    new = file.with_name(file.name + ".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(file)
