"""The `heng` command: finds the subcommand's module, imports only that one and runs it.

A subcommand is a module of `cli.commands` with `configure(parser)` and `run(arguments) -> exit code`.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    # word: (module, what it does)
    "edge": ("cli.commands.edge", "run a gateway, check its settings and devices, or ask a running one"),
    "modbus": ("cli.commands.modbus", "find the units on a Modbus line and read each once"),
    "hub": ("cli.commands.hub", "run the hub: ingest, watch, API and pages"),
    "ingest": ("cli.commands.room", "run ingest alone, as a process of its own"),
    "watch": ("cli.commands.room", "run watch alone, as a process of its own"),
    "web": ("cli.commands.room", "run API and pages alone, as a process of their own"),
    "database": ("cli.commands.database", "create or upgrade the hub's tables"),
    "site": ("cli.commands.site", "declare organisations, sites, gateways and bindings from a file"),
    "rights": ("cli.commands.rights", "keys of cards, what gateways honour, why rights are not sent"),
    "people": ("cli.commands.people", "open the first administrator's account, apply people from a file"),
    "audit": ("cli.commands.audit", "verify, export and sign the audit log"),
    "evidence": ("cli.commands.evidence", "prove again what a gateway sealed"),
    "est": ("cli.commands.room", "run the enrolment listener alone, as a process of its own"),
    "ca": ("cli.commands.ca", "make the certificate authority and gateways' identities"),
    "enrol": ("cli.commands.enrol", "make this machine a gateway of a hub, by its claim file"),
    "first-boot": ("cli.commands.first_boot", "write the boot files of a new gateway, from its claim"),
    "gateway": ("cli.commands.gateway", "claim, approve, revoke, replace gateways"),
    "alarm": ("cli.commands.alarm", "see alarms, acknowledge, shelve, say who is told"),
    "command": ("cli.commands.command", "ask gateways for something, approve it, see what became of it"),
    "job": ("cli.commands.job", "plan jobs, begin, release and finish them, write their records"),
    "broker": ("cli.commands.broker", "write the broker's configuration"),
    "simulate": ("cli.commands.simulate", "run simulated devices that speak the real protocols"),
    "demo": ("cli.commands.demo", "run everything on this machine with simulated devices"),
    "scenario": ("cli.commands.scenario", "have something happen in a running demo and say what is seen"),
    "bench": ("cli.commands.bench", "measure what the README claims"),
    "faults": ("cli.commands.faults", "kill, cut and corrupt, then account for every reading"),
}


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser; only the chosen subcommand's module is imported."""
    parser = argparse.ArgumentParser(
        prog="heng", description="Evidence-grade telemetry for metrology laboratories."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for word, (module, text) in COMMANDS.items():
        sub = commands.add_parser(word, help=text, description=text)
        if word == chosen:
            loaded = importlib.import_module(module)
            loaded.configure(sub)
            sub.set_defaults(run=loaded.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code: 0 done, 1 failed, 2 bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if word in COMMANDS), None)
    parsed = build_parser(chosen).parse_args(words)
    code: int = parsed.run(parsed)
    return code


if __name__ == "__main__":
    sys.exit(main())
