"""`heng edge`: run a gateway; `heng edge check`: try its settings and every device, and start nothing."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.commands.edge_set import set_output
from cli.commands.edge_tail import tail
from edge.assembly import AssemblyError, all_layouts, build_drivers
from edge.document import document_faults
from edge.driver import Driver, Given, ProbeLine
from edge.journal.errors import JournalInUseError
from edge.main import Gateway, end, real_world, serve
from edge.shutdown import Shutdown
from provisioning.errors import IdentityError
from provisioning.identity import GatewayIdentity
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings, read_settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "action",
        nargs="?",
        choices=["run", "check", "tail", "set"],
        default="run",
        help="run (default); check settings and try every device; tail: show what a running gateway reads; "
        "set: set one output while no gateway runs, or list the outputs",
    )
    parser.add_argument(
        "--settings", type=Path, required=True, metavar="FILE", help="the gateway's TOML file"
    )
    parser.add_argument("--verbose", action="store_true", help="log changes of state of every part")
    parser.add_argument("--output", metavar="NAME", help="set: which output; all are listed without")
    parser.add_argument("--value", metavar="NUMBER", help="set: 0 or 1 of a switch, else a setpoint")
    parser.add_argument("--match", default="", metavar="TEXT", help="tail: only lines that hold this text")
    parser.add_argument("--json", action="store_true", help="tail: one JSON object a line")
    parser.add_argument("--count", type=int, metavar="N", help="tail: end after so many lines")


def run(arguments: argparse.Namespace) -> int:
    """Run or check; 2 when the settings are not right or another process has the data folder."""
    folder = arguments.settings.resolve().parent
    with_identity = arguments.action in ("run", "check")

    def more(data: object) -> list[Fault]:
        return [*document_faults(data), *(_identity_faults(data, folder) if with_identity else ())]

    settings, faults = read_settings(arguments.settings, more=more)
    if settings is not None and arguments.action == "tail":
        data = folder / settings.gateway.data
        return tail(data, match=arguments.match, as_json=arguments.json, count=arguments.count)
    if settings is not None and arguments.action == "set" and not faults:
        data = folder / settings.gateway.data
        return set_output(settings, data, name=arguments.output, value=arguments.value)
    if settings is None or faults:
        return _refuse(arguments.settings, faults)
    identity, faults = _identity(settings.gateway.identity, settings.gateway.id, folder)
    if identity is None:
        return _refuse(arguments.settings, faults)
    return (
        _check(settings, folder / settings.gateway.data)
        if arguments.action == "check"
        else _run(settings, folder, identity, arguments=arguments)
    )


def _identity_faults(data: object, folder: Path) -> list[Fault]:
    """Return what is wrong with the identity that a document of any shape names."""
    table = data.get("gateway") if isinstance(data, Mapping) else None
    given = table if isinstance(table, Mapping) else {}
    name = given.get("identity", "identity")
    return _identity(name, given.get("id"), folder)[1] if isinstance(name, str) and name else []


def _identity(name: str, gateway: object, folder: Path) -> tuple[GatewayIdentity | None, list[Fault]]:
    place = folder / name
    try:
        identity = GatewayIdentity.load(place)
    except (IdentityError, OSError, ValueError) as error:
        return None, [Fault("gateway.identity", name, f"an identity folder ({error})")]
    if isinstance(gateway, str) and identity.gateway != gateway:
        expected = f"{identity.gateway}, which the certificate in {place} names"
        return None, [Fault("gateway.id", gateway, expected)]
    return identity, []


def _refuse(file: Path, faults: Sequence[Fault]) -> int:
    print(f"{file}: {len(faults)} fault(s), nothing was started", file=sys.stderr)
    for fault in faults:
        print(f"  {fault}", file=sys.stderr)
    return 2


def _run(
    settings: GatewaySettings, folder: Path, identity: GatewayIdentity, *, arguments: argparse.Namespace
) -> int:
    level = logging.INFO if arguments.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("edge.uplink.mqtt").setLevel(logging.CRITICAL)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    try:
        gateway = Gateway(
            settings,
            folder=folder,
            identity=identity,
            world=real_world(),
            read=lambda: read_settings(arguments.settings, more=document_faults),
        )
    except AssemblyError as error:
        return _refuse(arguments.settings, error.faults)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(serve(gateway))
    except JournalInUseError as error:
        expected = f"a folder that no other gateway writes ({error})"
        return _refuse(arguments.settings, [Fault("gateway.data", settings.gateway.data, expected)])
    end(0)
    return 0


def _check(settings: GatewaySettings, data: Path) -> int:
    """Probe every device once; 1 when one does not answer. `data` is where drivers have their files."""
    try:
        drivers = build_drivers(settings, Given(real_world().monotonic_ns, data))
    except AssemblyError as error:
        return _refuse(Path("settings"), error.faults)
    if settings.shutdown and (faults := Shutdown(settings.shutdown, lambda: all_layouts(drivers)).faults()):
        return _refuse(Path("settings"), faults)
    lines = asyncio.run(_probe(drivers))
    width = max((len(line.what) for line in lines), default=0)
    for line in lines:
        print(f"{'ok  ' if line.ok else 'FAIL'}  {line.what:<{width}}  {line.answer}")
    return 0 if all(line.ok for line in lines) else 1


async def _probe(drivers: Sequence[Driver]) -> list[ProbeLine]:
    return [line for driver in drivers for line in await driver.probe()]
