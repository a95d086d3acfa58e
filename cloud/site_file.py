"""The site file: organisation, sites with zones and portals, gateways, calibrations, as TOML.

It checks the file and applies it in one transaction; applying it again changes nothing.
"""

import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from cloud.site_checks import OUTSIDE, cross_faults
from cloud.store import declare, directory, sites_write
from cloud.store.connection import Connection
from cloud.store.directory import GatewayRow
from cloud.store.sites_write import CalibrationRow, SiteConflictError, SiteRow
from cloud.store.zones_write import PortalRow, ZoneRow, declare_zones
from wire.codec import decode_body
from wire.messages import Points
from wire.settings.base import Fault, Settings
from wire.settings.check import check

Name = Annotated[
    str, Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)", description="1 to 63 characters of a-z, 0-9, '-'")
]
Text = Annotated[str, Meta(min_length=1, max_length=200, description="a text of 1 to 200 characters")]
Nodes = Annotated[list[Decimal], Meta(min_length=1, max_length=100)]


Thing = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_./-]{0,127}$(?!\n)",
        description="a name of a gateway's settings: 1 to 128 characters of a-z, 0-9, '_', '.', '/', '-'",
    ),
]
Things = Annotated[list[Thing], Meta(max_length=100)]


class Zone(Settings, frozen=True, kw_only=True):
    """`[[site.zone]]`: a room, compartment or cabinet, and what covers it."""

    name: Name
    title: Text
    kind: Literal["room", "compartment", "cabinet"] = "room"
    covers: Things = field(default_factory=list)
    cameras: Things = field(default_factory=list)
    readers: Things = field(default_factory=list)


class Portal(Settings, frozen=True, kw_only=True, rename={"from_zone": "from", "to_zone": "to"}):
    """`[[site.portal]]`: a door between two zones; `outside` is beyond the site."""

    name: Name
    title: Text
    kind: Literal["door", "gate", "hatch"] = "door"
    from_zone: Name
    to_zone: Name
    reader_in: Thing | None = None
    reader_out: Thing | None = None
    contact: Thing | None = None
    lock: Thing | None = None


class Site(Settings, frozen=True, kw_only=True):
    """`[[site]]`."""

    name: Name
    title: Text
    kind: Literal["laboratory", "mobile_lab", "vehicle"]
    time_zone: str = "Asia/Shanghai"
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    zone: tuple[Zone, ...] = ()
    portal: tuple[Portal, ...] = ()


class Gateway(Settings, frozen=True, kw_only=True):
    """`[[gateway]]`: which site it serves, from `since` on (left out: from the beginning)."""

    name: Name
    site: Name
    since: str | None = None


class Calibration(Settings, frozen=True, kw_only=True):
    """`[[calibration]]`: corrections of one point, valid from `from_at` until `to_at`."""

    site: Name
    point: Text
    indicated: Nodes
    correction: Nodes
    exponent: Annotated[int, Meta(ge=-12, le=12)]
    from_at: str | None = None
    to_at: str | None = None
    certificate: str = ""


class SiteFile(Settings, frozen=True, kw_only=True):
    """The whole file; what must hold between its fields is `cloud.site_checks`."""

    organisation: Text
    site: tuple[Site, ...] = ()
    gateway: tuple[Gateway, ...] = ()
    calibration: tuple[Calibration, ...] = ()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def read_site_file(path: Path) -> tuple[SiteFile | None, list[Fault]]:
    """Return the file's content, or every fault of it; raises `OSError` when it cannot be read."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, an endless number, endless brackets
        return None, [Fault("(file)", str(error), "TOML in UTF-8")]
    file, faults = check(data, SiteFile)
    told = {fault.path for fault in faults}
    faults += [fault for fault in cross_faults(data) if fault.path not in told]
    return (None, faults) if faults else (file, [])


async def apply(connection: Connection, file: SiteFile) -> list[str]:
    """Apply a file in one transaction, as the owner or the hub role; return what changed, in words.

    Raises `SiteConflictError`.
    """
    changes: list[str] = []
    async with connection.transaction():
        await directory.change(connection)
        organisation = await sites_write.organisation(connection, file.organisation)
        sites = {site.name: await _site(connection, organisation, site) for site in file.site}
        for site in file.site:
            told = await _zones(connection, organisation, site, site_id=sites[site.name])
            changes += [f"{site.name}: {change}" for change in told]
        for gateway in file.gateway:
            row = await sites_write.gateway(connection, organisation, gateway.name)
            since = _time(gateway.since)
            if await sites_write.bind(connection, row, sites[gateway.site], since):
                changes.append(f"gateway {gateway.name} serves {gateway.site}")
                await _declare_again(connection, row)
        for item in file.calibration:
            new = await _calibrate(connection, organisation, item, site_id=sites[item.site])
            changes.extend([f"calibration of {item.site}/{item.point}"] if new else [])
    return changes


async def _site(connection: Connection, organisation: int, site: Site) -> int:
    row = SiteRow(
        name=site.name,
        title=site.title,
        kind=site.kind,
        time_zone=site.time_zone,
        latitude_e9=_e9(site.latitude),
        longitude_e9=_e9(site.longitude),
    )
    return await sites_write.site(connection, organisation, row)


async def _zones(connection: Connection, organisation: int, site: Site, *, site_id: int) -> list[str]:
    zones = [
        ZoneRow(zone.name, zone.title, zone.kind, zone.covers, zone.cameras, zone.readers)
        for zone in site.zone
    ]
    portals = [
        PortalRow(
            name=portal.name,
            title=portal.title,
            kind=portal.kind,
            from_zone=None if portal.from_zone == OUTSIDE else portal.from_zone,
            to_zone=None if portal.to_zone == OUTSIDE else portal.to_zone,
            reader_in=portal.reader_in,
            reader_out=portal.reader_out,
            contact=portal.contact,
            lock=portal.lock,
        )
        for portal in site.portal
    ]
    return await declare_zones(connection, organisation, site_id, zones=zones, portals=portals)


def _e9(degrees: Decimal | None) -> int | None:
    return None if degrees is None else int((degrees * 10**9).to_integral_value())


async def _declare_again(connection: Connection, row: GatewayRow) -> None:
    """Give the points that a gateway declared before to the site that it serves now."""
    body = await declare.kept(connection, row.id)
    if body is not None:
        await declare.add_points(connection, row, decode_body(body, Points).points)


async def _calibrate(connection: Connection, organisation: int, item: Calibration, *, site_id: int) -> bool:
    point_id = await sites_write.point(connection, site_id, item.point)
    if point_id is None:
        raise SiteConflictError(f"calibration: site {item.site} has no point {item.point} yet")
    row = CalibrationRow(
        point_id=point_id,
        from_at=_time(item.from_at),
        to_at=_time(item.to_at),
        indicated=item.indicated,
        correction=item.correction,
        exponent=item.exponent,
        certificate=item.certificate,
    )
    return await sites_write.calibration(connection, organisation, row)
