"""`heng first-boot`: put onto a boot partition what makes a new Raspberry Pi a gateway by itself."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from provisioning.claim import hub_address, read_claim
from provisioning.errors import ProvisioningError
from provisioning.first_boot import BOOT_FOLDER, PROFILES, FirstBoot, boot_files, broker_of

SOURCE = Path(__file__).resolve().parents[2]
_CLAIM_BYTES_MAX = 4096
_KEY_TYPES = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-")
_NOT_BUILT = (".*", "build", "docs", "node_modules", "tests", "__pycache__")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("claim", type=Path, metavar="CLAIM", help="claim file, from: heng gateway claim")
    parser.add_argument("--profile", required=True, choices=PROFILES, help="what kind of gateway it is")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FOLDER", help="the boot partition, as it is mounted"
    )
    parser.add_argument(
        "--broker", metavar="HOST[:PORT]", help="the broker (default: the hub's host, port 8883)"
    )
    parser.add_argument("--ssh-key", type=Path, metavar="FILE", help="public keys that may sign in")
    parser.add_argument(
        "--wheel", type=Path, metavar="FILE", help="the wheel of Heng (default: built from this source)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the files; 2 for bad input, with nothing written."""
    try:
        if not arguments.out.is_dir():
            raise ProvisioningError(f"--out {arguments.out}: expected a folder that is there")
        first = _first_boot(arguments)
        made = boot_files(first, SOURCE / "firmware-config")
        programs = arguments.out / BOOT_FOLDER
        programs.mkdir(exist_ok=True)
        wheel = _wheel(arguments.wheel, programs)
        shutil.copyfile(SOURCE / "requirements" / "edge.txt", programs / "requirements.txt")
        for name, text in made.items():
            # No modes: a boot partition is FAT, which knows none.
            (arguments.out / name).write_text(text, encoding="utf-8")
        os.sync()
    except (ProvisioningError, OSError, subprocess.CalledProcessError) as error:
        print(f"heng first-boot: {error}", file=sys.stderr)
        return 2
    print(
        f"gateway:  {first.claim.gateway}, {first.profile}, publishes to {':'.join(map(str, first.broker))}"
    )
    print(f"written:  {', '.join(made)}, {BOOT_FOLDER}/{wheel.name} in {arguments.out}")
    print(
        "The claim code is on this medium: until the gateway has enrolled, who holds it can be this gateway."
    )
    return 0


def _first_boot(arguments: argparse.Namespace) -> FirstBoot:
    with arguments.claim.open("rb") as file:
        text = file.read(_CLAIM_BYTES_MAX)
    try:
        claim = read_claim(text)
    except ProvisioningError as error:
        raise ProvisioningError(f"{arguments.claim}: {error}") from None
    broker = broker_of(claim)
    if arguments.broker:
        url = f"https://{arguments.broker}"
        host, _ = hub_address(url)
        broker = (host, urlsplit(url).port or 8883)
    keys = _public_keys(arguments.ssh_key) if arguments.ssh_key else []
    return FirstBoot(claim, arguments.profile, broker, keys)


def _public_keys(file: Path) -> list[str]:
    """Return the keys of a file as `authorized_keys` has them; a private one must not get onto the card."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in keys):
        raise ProvisioningError(f"--ssh-key {file}: is a private key: expected the public one, {file}.pub")
    if not all(any(word.startswith(_KEY_TYPES) for word in key.split()) for key in keys):
        raise ProvisioningError(f"--ssh-key {file}: expected lines of public keys, such as ssh-ed25519 AAAA…")
    return keys


def _wheel(given: Path | None, folder: Path) -> Path:
    for old in folder.glob("heng-*.whl"):
        old.unlink()
    if given is not None:
        return Path(shutil.copy(given, folder))
    with TemporaryDirectory() as scratch:
        # Built from a copy: what an earlier build left in the tree would come along.
        source = Path(scratch) / "heng"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns(*_NOT_BUILT))
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*command, "--wheel-dir", folder, source], check=True)
    return next(folder.glob("heng-*.whl"))
