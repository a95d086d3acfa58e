"""What goes onto the boot partition of a new gateway: cloud-init has it install itself and enrol.

The profile says which packages, files and services a kind of gateway needs; the claim says whose it is.
It reads the folder `firmware-config/` and what it is given, and writes nothing.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from provisioning.claim import Claim, hub_address, write_claim
from provisioning.errors import ProvisioningError

PROFILES = ("laboratory", "mobile-laboratory", "vehicle")
BOOT_FOLDER = "heng"
"""Folder beside the boot files that holds what `heng-install` installs."""
_NAME = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.+-]*$(?!\n)")]
_PATH = Annotated[str, Meta(pattern=r"^(etc|usr)/[A-Za-z0-9_./-]+$(?!\n)")]


class ProfileError(ProvisioningError):
    """A profile is not there or wrong; the text names it."""


class Profile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of gateway."""

    title: str
    packages: list[_NAME]
    services: list[_NAME]
    """Units that are enabled and started, in this order, before the gateway."""
    files: list[_PATH]
    """Paths on the gateway; the same below `firmware-config/files/`."""


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """Where one gateway comes from."""

    claim: Claim
    profile: str
    broker: tuple[str, int]
    """Host and port that the gateway publishes to."""
    ssh_keys: Sequence[str] = ()
    """Public keys that may sign in; without one nobody can, but by the console."""


def broker_of(claim: Claim) -> tuple[str, int]:
    """Return the broker of a hub that has it on the same host, at the usual port."""
    return hub_address(claim.url)[0], 8883


def load_profile(folder: Path, name: str) -> Profile:
    """Read one profile of `firmware-config/`; `ProfileError`."""
    try:
        text = (folder / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
        return msgspec.convert(tomllib.loads(text), Profile)
    except (OSError, ValueError) as error:
        raise ProfileError(f"profile {name}: {error}") from None


def boot_files(first: FirstBoot, folder: Path) -> Mapping[str, str]:
    """Return name -> text of cloud-init's files; `folder` is `firmware-config/`. `ProfileError`.

    The claim code is in them: whoever has them can be this gateway until it has enrolled.
    """
    profile = load_profile(folder, first.profile)
    user_data = "#cloud-config\n" + json.dumps(_cloud_config(first, profile, folder), indent=1) + "\n"
    gateway = first.claim.gateway
    meta_data = json.dumps({"instance-id": f"heng-{gateway}", "local-hostname": gateway}) + "\n"
    return {"user-data": user_data, "meta-data": meta_data}


def gateway_settings(first: FirstBoot, folder: Path) -> str:
    """Return the settings that the gateway starts with: itself, its uplink, what every such board has."""
    host, port = first.broker
    head = [
        "[gateway]",
        f"id = {json.dumps(first.claim.gateway)}",
        'data = "/var/lib/heng/data"',
        'identity = "/var/lib/heng/identity"',
        "",
        "[uplink]",
        f"host = {json.dumps(host)}",
        f"port = {port}",
        "",
    ]
    try:
        devices = (folder / "profiles" / f"{first.profile}.settings.toml").read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"profile {first.profile}: {error}") from None
    return "\n".join(head) + "\n" + devices


def _cloud_config(first: FirstBoot, profile: Profile, folder: Path) -> dict[str, object]:
    config: dict[str, object] = {
        "hostname": first.claim.gateway,
        "ssh_pwauth": False,
        "disable_root": True,
        "package_update": True,
        "packages": profile.packages,
        "write_files": [*_written(profile, folder), *_own(first, folder)],
        "runcmd": [
            ["/usr/local/sbin/heng-install"],
            ["systemctl", "enable", *profile.services, "heng-enrol", "heng-edge"],
            # What was installed before its file was written starts anew with it.
            ["systemctl", "restart", *profile.services],
            ["systemctl", "start", "--no-block", "heng-enrol", "heng-edge"],
        ],
    }
    if first.ssh_keys:
        config["ssh_authorized_keys"] = list(first.ssh_keys)
    return config


def _written(profile: Profile, folder: Path) -> list[dict[str, str]]:
    written = []
    for path in profile.files:
        source = folder / "files" / path
        try:
            content = source.read_text(encoding="utf-8")
        except OSError as error:
            raise ProfileError(f"file {path}: {error}") from None
        runs = source.stat().st_mode & 0o100
        written.append({"path": f"/{path}", "permissions": "0755" if runs else "0644", "content": content})
    return written


def _own(first: FirstBoot, folder: Path) -> list[dict[str, str]]:
    """The two files that no other gateway has; both name it, one holds the code."""
    return [
        {
            "path": "/etc/heng/settings.toml",
            "permissions": "0640",
            "content": gateway_settings(first, folder),
        },
        {
            "path": "/etc/heng/claim.json",
            "permissions": "0600",
            "content": write_claim(first.claim).decode(),
        },
    ]
