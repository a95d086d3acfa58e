"""What ModemManager says about a modem becomes readings; pure, it asks nobody.

Sources: D-Bus interfaces org.freedesktop.ModemManager1.Modem, .Modem.Modem3gpp and .Modem.Signal of
ModemManager's reference, and its flags and enumerations. Values come as D-Bus gave them, without variants.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

MODEM = "org.freedesktop.ModemManager1.Modem"
MODEM_3GPP = MODEM + ".Modem3gpp"
SIGNAL = MODEM + ".Signal"
Objects = Mapping[str, Mapping[str, Mapping[str, object]]]
"""Path -> interface -> property -> value."""

STATE_WORDS = {
    "-1": "failed",
    "0": "unknown",
    "1": "initializing",
    "2": "locked",
    "3": "disabled",
    "4": "disabling",
    "5": "enabling",
    "6": "enabled",
    "7": "searching",
    "8": "registered",
    "9": "disconnecting",
    "10": "connecting",
    "11": "connected",
}
REGISTRATION_WORDS = {
    "0": "idle",
    "1": "home",
    "2": "searching",
    "3": "denied",
    "4": "unknown",
    "5": "roaming",
    "6": "home_sms_only",
    "7": "roaming_sms_only",
    "8": "emergency_only",
    "9": "home_no_calls",
    "10": "roaming_no_calls",
    "11": "restricted",
}
TECHNOLOGY_WORDS = {"0": "unknown", "2": "2G", "3": "3G", "4": "4G", "5": "5G", "6": "narrow_band"}
_GENERATIONS = ((0x8000, 5), (0x4000, 4), (0x30000, 6), (0x3FE0, 3), (0x1E, 2))
"""Bits of MMModemAccessTechnology, the best technology first."""
_LEVEL_MAX = 1000.0
_LEVEL_MIN = 1e-9
"""ModemManager writes a double at the edge of its range where it does not know one."""
_NET_PORT = 2


class ModemError(ValueError):
    """There is no modem, or what is said of it is not understood; the text is one short sentence."""


@dataclass(frozen=True, slots=True)
class Modem:
    """One modem at one moment; None where it does not tell."""

    path: str
    state: int
    quality_percent: int | None
    technology: int
    registration: int | None = None
    operator: tuple[str, str] = ("", "")
    """Code (MCC and MNC) and name."""
    level_ddbm: int | None = None
    """RSRP of 4G and 5G, RSSI of older technologies, 0.1 dBm."""
    rsrq_ddb: int | None = None
    snr_ddb: int | None = None
    levels_off: bool = False
    """Whether it could tell levels and was not asked to."""


def choose(objects: Objects, *, interfaces: Collection[str]) -> Modem:
    """Return the modem of one of these interfaces, or the first one; `ModemError` when there is none."""
    modems = {path: found for path, found in sorted(objects.items()) if MODEM in found}
    if not modems:
        raise ModemError("ModemManager shows no modem")
    mine = [path for path, found in modems.items() if interfaces and _ports(found[MODEM]) & set(interfaces)]
    path = mine[0] if mine else next(iter(modems))
    return decode(path, modems[path])


def decode(path: str, found: Mapping[str, Mapping[str, object]]) -> Modem:
    """Return what the interfaces of one modem say; `ModemError`."""
    modem = found[MODEM]
    mobile, signal = found.get(MODEM_3GPP, {}), found.get(SIGNAL)
    state = _whole(modem, "State", low=-1, high=11)
    technology = _whole(modem, "AccessTechnologies", low=0, high=2**32 - 1) or 0
    registration = _whole(mobile, "RegistrationState", low=0, high=11) if mobile else None
    levels = _levels(signal or {})
    return Modem(
        path,
        0 if state is None else state,
        _quality(modem),
        next((word for bits, word in _GENERATIONS if technology & bits), 0),
        registration,
        (_text(mobile, "OperatorCode"), _text(mobile, "OperatorName")),
        levels.get("level"),
        levels.get("rsrq"),
        levels.get("snr"),
        signal is not None and not signal.get("Rate"),
    )


def _quality(modem: Mapping[str, object]) -> int | None:
    """Return percent; None where it is not recent: ModemManager repeats the last one."""
    pair = modem.get("SignalQuality")
    if pair is None:
        return None
    match pair:
        case [int(percent), bool(recent)] if 0 <= percent <= 100:
            return percent if recent else None
    raise ModemError("SignalQuality: expected 0 to 100 and whether it is recent")


def _levels(signal: Mapping[str, object]) -> dict[str, int]:
    """Return the levels of the best technology that tells any, in tenths."""
    for technology, level in (("Nr5g", "rsrp"), ("Lte", "rsrp"), ("Umts", "rssi"), ("Gsm", "rssi")):
        told = signal.get(technology, {})
        if not isinstance(told, Mapping):
            raise ModemError(f"{technology}: expected a table")
        found = {"level": _tenths(told, level), "rsrq": _tenths(told, "rsrq"), "snr": _tenths(told, "snr")}
        known = {key: value for key, value in found.items() if value is not None}
        if known:
            return known
    return {}


def _tenths(told: Mapping[str, object], key: str) -> int | None:
    value = told.get(key)
    if value is None:
        return None
    if not isinstance(value, float):
        raise ModemError(f"{key}: expected a number with a fraction")
    known = math.isfinite(value) and (value == 0 or _LEVEL_MIN < abs(value) < _LEVEL_MAX)
    return round(value * 10) if known else None


def _ports(modem: Mapping[str, object]) -> set[str]:
    """Return the modem's network interfaces."""
    ports = modem.get("Ports", [])
    found: set[str] = set()
    for port in ports if isinstance(ports, list) else ():
        match port:
            case [str(name), int(kind)] if kind == _NET_PORT:
                found.add(name)
    return found


def _whole(table: Mapping[str, object], key: str, *, low: int, high: int) -> int | None:
    value = table.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ModemError(f"{key}: expected {low} to {high}")
    return value


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise ModemError(f"{key}: expected text")
    return value[:64]
