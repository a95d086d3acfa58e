"""`heng edge`: run a gateway, check its settings and devices, or ask a running one for something."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli.commands import edge_ask, edge_procedure, edge_reader, edge_safe, edge_set, edge_tail
from cli.commands.edge_check import interlock_lines
from edge.assembly import AssemblyError, build_drivers
from edge.driver import Driver, Given, ProbeLine
from edge.journal.errors import JournalInUseError
from edge.lives import Beginning, Lives, end
from edge.main import Gateway, Shadow
from edge.shadow.sources import Sources, named_faults
from edge.world import real_world
from provisioning.errors import IdentityError
from provisioning.identity import GatewayIdentity
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings

_ACTIONS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    # word: (what it does, its own words and options)
    "run": (
        "run the gateway (also without a word); with DEVICE and PROCEDURE: have it carry out a procedure",
        edge_procedure.configure,
    ),
    "check": ("check the settings and try every device", lambda _: None),
    "tail": ("show what the running gateway reads", edge_tail.configure),
    "set": ("set one output, or list the outputs", edge_set.configure),
    "safe": ("leave every output in its safe state; only when no gateway runs", lambda _: None),
    "pair": ("let a reader be paired, for 10 minutes at most", edge_reader.configure_pair),
    "show": (
        "show and sound something at a reader; without words: show the outputs that do not rest",
        edge_reader.configure_show,
    ),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions; the options of all may stand before or behind the action."""
    _common(parser, absent=None)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(action="run", device=None)
    for word, (text, more) in _ACTIONS.items():
        action = actions.add_parser(word, help=text, description=text)
        _common(action, absent=argparse.SUPPRESS)
        more(action)


def _common(parser: argparse.ArgumentParser, *, absent: object) -> None:
    parser.add_argument(
        "--settings", type=Path, default=absent, metavar="FILE", help="the gateway's TOML file (required)"
    )
    parser.add_argument(
        "--verbose",
        action="store_true",
        default=absent or False,
        help="run: log changes of state of every part",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked; 2 when the settings are not right or another process has the data folder."""
    if arguments.settings is None:
        return edge_ask.refuse(arguments.action, "expected --settings FILE", 2)
    folder = arguments.settings.resolve().parent
    starting = arguments.action == "check" or (arguments.action == "run" and arguments.device is None)

    def more(data: object) -> list[Fault]:
        return _identity_faults(data, folder) if starting else []

    in_force = Sources(arguments.settings, now_ns=real_world().monotonic_ns, more=more).in_force()
    settings, faults = in_force.settings, in_force.faults
    if in_force.set_aside:
        _tell(arguments.settings, in_force.set_aside, "in the hub's settings: the file counts alone")
    if settings is None or (faults and (starting or arguments.action == "set")):
        return _refuse(arguments.settings, faults)
    if not starting:
        return _ask(settings, folder / settings.gateway.data, arguments)
    identity, faults = _identity(settings.gateway.identity, settings.gateway.id, folder)
    if identity is None:
        return _refuse(arguments.settings, faults)
    return (
        _check(settings, folder / settings.gateway.data)
        if arguments.action == "check"
        else _run(settings, identity, in_force.set_aside, arguments=arguments)
    )


def _ask(settings: GatewaySettings, data: Path, arguments: argparse.Namespace) -> int:
    """Do what a running gateway is asked for; only its data folder counts."""
    if arguments.action == "tail":
        return edge_tail.tail(data, match=arguments.match, as_json=arguments.json, count=arguments.count)
    if arguments.action == "set":
        return edge_set.set_output(settings, data, name=arguments.output, value=arguments.value)
    if arguments.action == "safe":
        return edge_safe.make_safe(settings, data)
    if arguments.action == "run":
        words = arguments.arguments
        return edge_procedure.run_procedure(data, arguments.device, arguments.procedure, words=words)
    return (edge_reader.pair if arguments.action == "pair" else edge_reader.show)(data, arguments)


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
    _tell(file, faults, "nothing was started")
    return 2


def _tell(file: Path, faults: Sequence[Fault], so: str) -> None:
    print(f"{file}: {len(faults)} fault(s), {so}", file=sys.stderr)
    for fault in faults:
        print(f"  {fault}", file=sys.stderr)


def _run(
    settings: GatewaySettings,
    identity: GatewayIdentity,
    set_aside: Sequence[Fault],
    *,
    arguments: argparse.Namespace,
) -> int:
    level = logging.INFO if arguments.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("edge.uplink.mqtt").setLevel(logging.CRITICAL)
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    world = real_world()
    sources = Sources(arguments.settings, now_ns=world.monotonic_ns)

    folder = arguments.settings.resolve().parent

    def read() -> tuple[GatewaySettings | None, Sequence[Fault]]:
        found = sources.in_force(trial=True)
        return found.settings, found.faults

    def made(settings: GatewaySettings, shadow: Shadow, identity: GatewayIdentity) -> Gateway:
        return Gateway(settings, folder=folder, identity=identity, world=world, read=read, shadow=shadow)

    def load(settings: GatewaySettings) -> GatewayIdentity | None:
        return _identity(settings.gateway.identity, settings.gateway.id, folder)[0]

    try:
        Lives(sources, made, load=load, world=world).run(Beginning(settings, identity, set_aside))
    except AssemblyError as error:
        return _refuse(arguments.settings, error.faults)
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
    if faults := named_faults(settings, drivers):
        return _refuse(Path("settings"), faults)
    lines = [*asyncio.run(_probe(drivers)), *interlock_lines(settings, drivers)]
    width = max((len(line.what) for line in lines), default=0)
    for line in lines:
        print(f"{'ok  ' if line.ok else 'FAIL'}  {line.what:<{width}}  {line.answer}")
    return 0 if all(line.ok for line in lines) else 1


async def _probe(drivers: Sequence[Driver]) -> list[ProbeLine]:
    return [line for driver in drivers for line in await driver.probe()]
