"""What an organisation has now, as an import compares it with; read once per plan."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud.imports.cards import key_id
from cloud.store import imports
from cloud.store.connection import Connection
from cloud.store.imports import Fields
from cloud.store.sites import shared_zone


@dataclass(frozen=True)
class Known:
    """Rows as JSON has them, and the names by which a workbook finds them."""

    organisation_id: int
    now: datetime
    zone: ZoneInfo
    people: dict[int, Fields]
    accounts: dict[int, Fields]
    credentials: dict[int, Fields]
    assets: dict[int, Fields]
    point_rows: dict[int, Fields]
    points: dict[tuple[str, str], tuple[int, str | None]]
    """Site and name -> id, and the due date that its calibration in force has itself."""
    sites: dict[str, int]
    zones: dict[tuple[str, str], int]
    logins: dict[str, int]
    grants: set[tuple[int, str, int | None]]
    keys: list[bytes]
    """Of hashes of credentials; the first makes new ones. Never empty."""

    def person(self, number: str) -> int | None:
        """Return a person's id by staff number."""
        return self._people.get(number)

    def account_of(self, person_id: int) -> int | None:
        """Return the id of a person's account."""
        return self._accounts.get(person_id)

    def credential(self, tokens: dict[str, str]) -> int | None:
        """Return the id of a credential by its hashes, key id -> token."""
        return next((self._cards[pair] for pair in tokens.items() if pair in self._cards), None)

    def asset(self, name: str) -> int | None:
        """Return an asset's id by name."""
        return self._assets.get(name)

    def key_ids(self) -> dict[str, bytes]:
        """Return the keys by their ids, the one that makes new hashes first."""
        return {key_id(key): key for key in self.keys}

    def zone_name(self, zone_id: int | None) -> str:
        """Return site and zone by the zone's id; its number when it is not in use any more."""
        return "" if zone_id is None else self._zones.get(zone_id, f"zone {zone_id}")

    # A workbook has thousands of rows, and so has the house.

    @cached_property
    def _people(self) -> dict[str, int]:
        return {str(row["number"]): id_ for id_, row in self.people.items()}

    @cached_property
    def _accounts(self) -> dict[int, int]:
        return {int(row["person_id"]): id_ for id_, row in self.accounts.items()}

    @cached_property
    def _cards(self) -> dict[tuple[str, str], int]:
        return {(str(row["key_id"]), str(row["token"])): id_ for id_, row in self.credentials.items()}

    @cached_property
    def _assets(self) -> dict[str, int]:
        return {str(row["name"]): id_ for id_, row in self.assets.items()}

    @cached_property
    def _zones(self) -> dict[int, str]:
        return {id_: f"{site}/{zone}" for (site, zone), id_ in self.zones.items()}


async def load(connection: Connection, organisation_id: int, *, now: datetime, spare_key: bytes) -> Known:
    """Read what an organisation has; `spare_key` stands in while it has no key of credentials."""
    sites, zones = await imports.places(connection, organisation_id)
    try:
        zone = ZoneInfo(await shared_zone(connection, organisation_id=organisation_id))
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return Known(
        organisation_id=organisation_id,
        now=now,
        zone=zone,
        people=await imports.rows_of(connection, "people", organisation_id),
        accounts=await imports.rows_of(connection, "accounts", organisation_id),
        credentials=await imports.rows_of(connection, "credentials", organisation_id),
        assets=await imports.rows_of(connection, "assets", organisation_id),
        point_rows=await imports.rows_of(connection, "points", organisation_id),
        points=await imports.points(connection, organisation_id, now),
        sites=sites,
        zones=zones,
        logins=await imports.logins(connection),
        grants=await imports.open_grants(connection, organisation_id),
        keys=await imports.credential_keys(connection, organisation_id) or [spare_key],
    )
