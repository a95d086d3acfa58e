"""`heng enrol`: make this machine a gateway of a hub, by a claim file; safe to run again at any time."""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from provisioning import enrolment
from provisioning.claim import Claim, bracketed, read_claim
from provisioning.errors import EnrolmentError, ProvisioningError
from wire.settings.gateway import GatewaySettings, UplinkSection, read_settings

_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0
_CLAIM_BYTES_MAX = 4096
LATER = 75
"""Exit code for what may help later (EX_TEMPFAIL of sysexits.h)."""
_BROKER_PORT = 8883
"""Of a broker whose address names none, as in the settings."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "claim", help="claim file, the text of its QR code in quotes, or '-' to read either from stdin"
    )
    parser.add_argument("--identity", type=Path, metavar="FOLDER", help="where the identity goes")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="the gateway's TOML file, which names that folder; its [uplink] is compared",
    )
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S", help="try for so long, when the hub cannot be reached"
    )


def run(arguments: argparse.Namespace) -> int:
    """Enrol; 0 done, 1 refused for good, 2 bad input, 75 may help later."""
    found = _place(arguments)
    if found is None:
        return 2
    folder, settings = found
    try:
        claim = read_claim(_text(arguments.claim))
    except ProvisioningError as error:
        print(f"heng enrol: {_source(arguments.claim)}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"heng enrol: {error}", file=sys.stderr)
        return 2
    code = asyncio.run(_until_done(claim, folder, wait_s=arguments.wait))
    if code == 0 and settings is not None:
        elsewhere = leads_elsewhere(
            arguments.settings, settings.uplink, broker=enrolment.place_of(folder).broker
        )
        if elsewhere is not None:
            print(f"heng enrol: {elsewhere}", file=sys.stderr)
    return code


def leads_elsewhere(file: Path, uplink: UplinkSection, *, broker: str) -> str | None:
    """Say that the settings do not lead to the hub's broker (`mqtts://host[:port]`), and what to write."""
    parts = urlsplit(broker)
    host, port = parts.hostname or "", parts.port or _BROKER_PORT
    if (uplink.host.lower(), uplink.port) == (host, port):
        return None
    return (
        f"WARNING: {file} leads to {bracketed(uplink.host)}:{uplink.port}, but the hub's broker is at "
        f"{bracketed(host)}:{port}: the gateway will not reach it. "
        f'Write into {file}:\n[uplink]\nhost = "{host}"\nport = {port}'
    )


async def _until_done(claim: Claim, folder: Path, *, wait_s: float) -> int:
    ends_at = time.monotonic() + wait_s
    pause_s = _FIRST_WAIT_S
    while True:
        try:
            return await asyncio.to_thread(_enrol, claim, folder)
        except EnrolmentError as error:
            print(f"heng enrol: {error}", file=sys.stderr)
            if not error.again:
                return 1
            pause_s = max(pause_s, error.wait_s)
            if time.monotonic() + pause_s > ends_at:
                return LATER
        except ProvisioningError as error:
            print(f"heng enrol: {error}", file=sys.stderr)
            return 1
        await asyncio.sleep(pause_s)
        pause_s = min(_LONGEST_WAIT_S, pause_s * 2)


def _enrol(claim: Claim, folder: Path) -> int:
    made = enrolment.enrol(claim, folder)
    place = enrolment.place_of(folder)
    print(f"gateway:   {made.identity.gateway}{'' if made.fresh else ' (was enrolled before)'}")
    print(f"folder:    {made.identity.folder}")
    print(f"batch key: {made.identity.signer.key_id.hex()}")
    print(f"broker:    {place.broker}")
    return 0


def _place(arguments: argparse.Namespace) -> tuple[Path, GatewaySettings | None] | None:
    """Return the identity folder, and the settings when a file was given; None when it is told why not."""
    if arguments.settings is None:
        if arguments.identity is None:
            print("heng enrol: expected --identity FOLDER or --settings FILE", file=sys.stderr)
            return None
        return arguments.identity, None
    settings, faults = read_settings(arguments.settings)
    if settings is None:
        for fault in faults:
            print(f"{arguments.settings}: {fault}", file=sys.stderr)
        return None
    named = arguments.settings.resolve().parent / settings.gateway.identity
    return arguments.identity or named, settings


def _source(given: str) -> str:
    """Name where the claim came from; a QR code's text holds the code, which is a secret."""
    if given == "-":
        return "standard input"
    return "claim" if given.startswith("heng:") else given


def _text(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read(_CLAIM_BYTES_MAX)
    if given.startswith("heng:"):
        return given.encode()
    with Path(given).open("rb") as file:
        return file.read(_CLAIM_BYTES_MAX)
