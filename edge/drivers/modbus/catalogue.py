"""Reads and checks the device profiles that come with the gateway, and what settings want of them."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from wire.settings.base import Fault, SettingsError
from wire.settings.check import check
from wire.settings.modbus import ModbusLine, Profile


class ProfileError(SettingsError):
    """A profile or its use is wrong; `faults` says where and what was expected."""


@cache
def shipped_profiles() -> Mapping[str, Profile]:
    """Return the profiles that come with the gateway by name. A broken one raises `ProfileError`."""
    found: dict[str, Profile] = {}
    folder = resources.files("edge.drivers.modbus.profiles")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            profile, faults = check(tomllib.loads(file.read_text(encoding="utf-8")), Profile)
            if profile is None:
                raise ProfileError(faults)
            found[profile.name] = profile
    return found


def device_faults(device: ModbusLine) -> list[Fault]:
    """Return units that ask for profiles, points or names that are not there."""
    return list(device.use_faults(shipped_profiles()))


def profiles_of(device: ModbusLine) -> Mapping[str, Profile]:
    """Return every profile that the device may use; `ProfileError` when it asks for another."""
    faults = device_faults(device)
    if faults:
        raise ProfileError(faults)
    return {**shipped_profiles(), **{profile.name: profile for profile in device.profile}}
