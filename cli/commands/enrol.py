"""`heng enrol`: make this machine a gateway of a hub, by a claim file; safe to run again at any time."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from provisioning import enrolment
from provisioning.claim import Claim, read_claim
from provisioning.errors import EnrolmentError, ProvisioningError
from wire.settings.gateway import read_settings

_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 60.0
_CLAIM_BYTES_MAX = 4096
LATER = 75
"""Exit code for what may help later (EX_TEMPFAIL of sysexits.h)."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "claim", help="claim file, the text of its QR code in quotes, or '-' to read either from stdin"
    )
    parser.add_argument("--identity", type=Path, metavar="FOLDER", help="where the identity goes")
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help="the gateway's TOML file, which names that folder"
    )
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S", help="try for so long, when the hub cannot be reached"
    )


def run(arguments: argparse.Namespace) -> int:
    """Enrol; 0 done, 1 refused for good, 2 bad input, 75 may help later."""
    folder = _folder(arguments)
    if folder is None:
        return 2
    try:
        claim = read_claim(_text(arguments.claim))
    except (ProvisioningError, OSError) as error:
        print(f"heng enrol: {error}", file=sys.stderr)
        return 2
    return asyncio.run(_until_done(claim, folder, wait_s=arguments.wait))


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


def _folder(arguments: argparse.Namespace) -> Path | None:
    if arguments.identity is not None:
        return Path(arguments.identity)
    if arguments.settings is None:
        print("heng enrol: expected --identity FOLDER or --settings FILE", file=sys.stderr)
        return None
    settings, faults = read_settings(arguments.settings)
    if settings is None:
        for fault in faults:
            print(f"{arguments.settings}: {fault}", file=sys.stderr)
        return None
    return Path(arguments.settings).resolve().parent / settings.gateway.identity


def _text(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read(_CLAIM_BYTES_MAX)
    if given.startswith("heng:"):
        return given.encode()
    with Path(given).open("rb") as file:
        return file.read(_CLAIM_BYTES_MAX)
