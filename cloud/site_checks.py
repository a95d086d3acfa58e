"""What must hold between the fields of a site file: names, places, zones, times, calibrations.

It takes the TOML as it was read and looks at whatever has the right type, so that one wrong field hides no
other fault. Types, lengths and unknown keys are the models' own (`cloud.site_file`).
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

from wire.settings.base import MISSING, Fault

Table = Mapping[str, Any]
_ZONE = "a zone of the IANA list, such as Asia/Shanghai"
_TIME = "a time with its zone, such as 2026-01-31T08:00:00+08:00"
_LIMITS = {"latitude": 90, "longitude": 180}
OUTSIDE = "outside"
"""The side of a portal that is beyond the site."""
_DIGITS = 12
"""Places before the point of a value that a calibration may hold, less one."""


def cross_faults(data: Table) -> Iterator[Fault]:
    """Yield every fault between fields, in the order of the file's tables."""
    sites = list(_tables(data, "site"))
    gateways = list(_tables(data, "gateway"))
    calibrations = list(_tables(data, "calibration"))
    names = [site.get("name") for _, site in sites]
    for path, site in sites:
        yield from _place_faults(path, site)
        yield from _zone_faults(path, site)
    yield from _twice(sites)
    yield from _twice(gateways)
    for path, table in [*gateways, *calibrations]:
        used = table.get("site")
        if isinstance(used, str) and used not in names:
            yield Fault(f"{path}.site", used, "the name of a [[site]] of this file")
    for path, gateway in gateways:
        yield from _time_faults(path, gateway, "since")
    for path, calibration in calibrations:
        yield from _time_faults(path, calibration, "from_at")
        yield from _time_faults(path, calibration, "to_at")
        yield from _order_faults(path, calibration)
        yield from _curve_faults(path, calibration)


def _tables(data: Table, key: str, path: str = "") -> Iterator[tuple[str, Table]]:
    items = data.get(key)
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, Mapping):
            yield f"{path}{key}[{index}]", item


def _zone_faults(path: str, site: Table) -> Iterator[Fault]:
    zones = list(_tables(site, "zone", f"{path}."))
    portals = list(_tables(site, "portal", f"{path}."))
    yield from _twice(zones)
    yield from _twice(portals)
    for place, zone in zones:
        if zone.get("name") == OUTSIDE:
            yield Fault(f"{place}.name", OUTSIDE, f"another name; {OUTSIDE} is what no zone is")
        for key in ("covers", "cameras", "readers"):
            yield from _repeated(f"{place}.{key}", zone.get(key))
    known = {zone.get("name") for _, zone in zones} | {OUTSIDE}
    for place, portal in portals:
        sides = {key: portal.get(key) for key in ("from", "to")}
        for key, name in sides.items():
            if isinstance(name, str) and name not in known:
                yield Fault(f"{place}.{key}", name, f"a [[site.zone]] of this site, or {OUTSIDE}")
        if isinstance(sides["to"], str) and sides["from"] == sides["to"]:
            yield Fault(f"{place}.to", sides["to"], "another side than from")


def _repeated(path: str, names: object) -> Iterator[Fault]:
    if not isinstance(names, list):
        return
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault(f"{path}[{index}]", name, "each name once")


def _place_faults(path: str, site: Table) -> Iterator[Fault]:
    zone = site.get("time_zone")
    if isinstance(zone, str) and zone not in _zones():
        yield Fault(f"{path}.time_zone", zone, _ZONE)
    for name, limit in _LIMITS.items():
        degrees = _number(site.get(name))
        if degrees is not None and not -limit <= degrees <= limit:
            yield Fault(f"{path}.{name}", site[name], f"-{limit} to {limit} degrees (WGS-84)")

    given = [name for name in _LIMITS if name in site]
    if len(given) == 1:
        (missing,) = _LIMITS.keys() - given
        yield Fault(f"{path}.{missing}", MISSING, f"a {missing} beside the {given[0]}, or neither")


def _twice(tables: list[tuple[str, Table]]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path, table in tables:
        name = table.get("name")
        if not isinstance(name, str):
            continue
        if name in seen:
            yield Fault(f"{path}.name", name, f"a name of its own; {seen[name]} has this one")
        seen.setdefault(name, path)


def _time_faults(path: str, table: Table, key: str) -> Iterator[Fault]:
    text = table.get(key)
    if isinstance(text, str) and _time(text) is None:
        yield Fault(f"{path}.{key}", text, _TIME)


def _order_faults(path: str, calibration: Table) -> Iterator[Fault]:
    start, end = _time(calibration.get("from_at")), _time(calibration.get("to_at"))
    if start is not None and end is not None and start >= end:
        yield Fault(f"{path}.to_at", calibration["to_at"], f"a time after {calibration['from_at']}")


def _curve_faults(path: str, calibration: Table) -> Iterator[Fault]:
    indicated, correction = _numbers(calibration.get("indicated")), _numbers(calibration.get("correction"))
    wild = False
    for key, numbers in (("indicated", indicated), ("correction", correction)):
        if numbers is not None and any(number.adjusted() > _DIGITS for number in numbers):
            yield Fault(f"{path}.{key}", calibration[key], f"values below 1e{_DIGITS + 1}")
            wild = True
    if indicated is None or wild:
        return
    fall = _fall(indicated)
    if fall:
        yield Fault(f"{path}.indicated", calibration["indicated"], f"values that grow; {fall}")
    if correction is None:
        return
    if len(indicated) != len(correction):
        expected = f"{len(indicated)} entries, as many as in indicated"
        yield Fault(f"{path}.correction", calibration["correction"], expected)
    elif not fall and (fall := _fall([a + b for a, b in zip(indicated, correction, strict=True)])):
        expected = f"corrections with which indicated + correction grows; {fall}"
        yield Fault(f"{path}.correction", calibration["correction"], expected)


def _fall(nodes: list[Decimal]) -> str:
    """Say where the nodes do not grow; an empty text when they do."""
    return next((f"{b} follows {a}" for a, b in pairwise(nodes) if b <= a), "")


def _numbers(value: object) -> list[Decimal] | None:
    if not isinstance(value, list):
        return None
    numbers = [number for number in map(_number, value) if number is not None]
    return numbers if len(numbers) == len(value) else None


def _number(value: object) -> Decimal | None:
    """Return a number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if time.tzinfo is None else time


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
