"""A laboratory with a door, a key and a few people, for tests of rights."""

import json
from typing import Any, Protocol

from cloud.imports.cards import key_id

TABLES = (
    *("rights_honoured", "rights_issued", "rights_state", "visits", "access_items", "access_people"),
    *("control_status", "authorisations", "credentials", "credential_keys", "people", "portals", "zones"),
)
KEY = bytes(range(32))
KEY_ID = key_id(KEY)


class Lab(Protocol):
    dsn: str
    hub_dsn: str

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...
    def run(self, ask: Any) -> Any: ...


def token(number: int) -> str:
    return f"{number:032x}"


def furnish(lab: Lab, *, people: int = 2) -> None:
    """Give site 1 two rooms with a door each, and its organisation people with a card each."""
    for table in (
        "rights_honoured",
        "rights_issued",
        "rights_state",
        "visits",
        "access_items",
        "access_people",
    ):
        lab.execute(f"DELETE FROM {table}")
    for table in (
        "control_status",
        "authorisations",
        "credentials",
        "credential_keys",
        "people",
        "portals",
        "zones",
    ):
        lab.execute(f"DELETE FROM {table}")
    lab.execute(
        "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers, cameras, readers)"
        " SELECT 1, 1, name, name, 'room', '{}', '{}', '{}' FROM unnest(ARRAY['lobby', 'room-2']) name"
    )
    for name, start, end in (("front", None, "lobby"), ("inner", "lobby", "room-2")):
        lab.execute(
            "INSERT INTO portals (organisation_id, site_id, name, title, kind, from_zone_id, to_zone_id)"
            " VALUES (1, 1, %s, %s, 'door', (SELECT id FROM zones WHERE name = %s AND site_id = 1),"
            " (SELECT id FROM zones WHERE name = %s AND site_id = 1))",
            *(name, name, start, end),
        )
    lab.execute("INSERT INTO credential_keys VALUES (1, %s, %s, now(), NULL)", KEY_ID, KEY)
    lab.execute(
        "INSERT INTO people (organisation_id, number, name)"
        " SELECT 1, 'p' || n, 'Person ' || n FROM generate_series(1, %s) n",
        people,
    )
    lab.execute(
        "INSERT INTO credentials (organisation_id, person_id, kind, format, key_id, token, ending, valid,"
        " state) SELECT 1, id, 'card', 'h10301', %s, lpad(to_hex(substr(number, 2)::int), 32, '0'), '',"
        " '(,)', 'active'"
        " FROM people WHERE organisation_id = 1",
        KEY_ID,
    )


def item(lab: Lab, kind: str, name: str, body: dict[str, Any], *, site: int | None = 1) -> None:
    lab.execute(
        "INSERT INTO access_items (organisation_id, site_id, kind, name, body, changed_by, changed_at)"
        " VALUES (1, %s, %s, %s, %s, 'test', now())"
        " ON CONFLICT (organisation_id, site_id, kind, name) DO UPDATE SET body = excluded.body",
        *(site, kind, name, json.dumps(body)),
    )
