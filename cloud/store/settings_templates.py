"""Templates of settings: documents with places to fill in, for sites of a kind."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class SettingsTemplate:
    """One template of an organisation."""

    id: int
    organisation_id: int
    name: str
    site_kind: str
    """`laboratory`, `mobile_lab` or `vehicle`: what kind of site it is for."""
    document: str
    """TOML with places to fill in, `{{like_this}}`."""
    changed_by: str
    changed_at: datetime
    reason: str


_COLUMNS = "SELECT id, organisation_id, name, site_kind, document, changed_by, changed_at, reason"


async def list_templates(
    connection: Connection, *, after: int = 0, limit: int = 100
) -> list[SettingsTemplate]:
    """Return templates by id, those with an id greater than `after`."""
    async with connection.cursor(row_factory=class_row(SettingsTemplate)) as cursor:
        await cursor.execute(
            _COLUMNS + " FROM settings_templates WHERE id > %s ORDER BY id LIMIT %s", (after, limit)
        )
        return await cursor.fetchall()


async def of_organisation(connection: Connection, organisation_id: int) -> list[SettingsTemplate]:
    """Return an organisation's templates by name."""
    async with connection.cursor(row_factory=class_row(SettingsTemplate)) as cursor:
        await cursor.execute(
            _COLUMNS + " FROM settings_templates WHERE organisation_id = %s ORDER BY name", (organisation_id,)
        )
        return await cursor.fetchall()


async def get_template(connection: Connection, template_id: int) -> SettingsTemplate | None:
    """Return one template."""
    async with connection.cursor(row_factory=class_row(SettingsTemplate)) as cursor:
        await cursor.execute(_COLUMNS + " FROM settings_templates WHERE id = %s", (template_id,))
        return await cursor.fetchone()


async def find_template(connection: Connection, organisation_id: int, name: str) -> SettingsTemplate | None:
    """Return the template of this name, and keep it as it is until the transaction ends."""
    async with connection.cursor(row_factory=class_row(SettingsTemplate)) as cursor:
        await cursor.execute(
            _COLUMNS + " FROM settings_templates WHERE organisation_id = %s AND name = %s FOR UPDATE",
            (organisation_id, name),
        )
        return await cursor.fetchone()


async def put_template(
    connection: Connection,
    organisation_id: int,
    name: str,
    *,
    site_kind: str,
    document: str,
    by: str,
    at: datetime,
    reason: str,
) -> int:
    """Keep a template in the place of one of this name, and return its id."""
    cursor = await connection.execute(
        """
        INSERT INTO settings_templates (organisation_id, name, site_kind, document, changed_by, changed_at,
                                        reason)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (organisation_id, name) DO UPDATE
               SET site_kind = excluded.site_kind, document = excluded.document,
                   changed_by = excluded.changed_by, changed_at = excluded.changed_at,
                   reason = excluded.reason
        RETURNING id
        """,
        (organisation_id, name, site_kind, document, by, at, reason),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
