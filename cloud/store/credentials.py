"""What identifies a person at a door, as may be shown: never the number, never its hash."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from cloud.store.connection import Connection


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential of a person."""

    id: int
    person_id: int
    kind: str
    """`card`, `phone`, `qr`, …"""
    format: str
    ending: str
    """The last two characters of its number; empty where that would be too much of it."""
    from_at: datetime | None
    to_at: datetime | None
    """Not included; None: open."""
    state: str
    """`active`, `blocked`, `lost`, `stolen`, `damaged`, `returned` or `revoked`."""


async def list_credentials(connection: Connection, person_id: int) -> list[Credential]:
    """Return a person's credentials by id."""
    async with connection.cursor(row_factory=class_row(Credential)) as cursor:
        await cursor.execute(
            """
            SELECT id, person_id, kind, format, ending, lower(valid) AS from_at, upper(valid) AS to_at, state
              FROM credentials WHERE person_id = %s ORDER BY id
            """,
            (person_id,),
        )
        return await cursor.fetchall()
