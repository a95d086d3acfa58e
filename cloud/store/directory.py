"""Who is who, in event time: gateways, keys, bindings, layouts and the exponents of points.

Ingest reads all of it at once and keeps it until the version grows; everything that changes a part of it
calls `change` first, in the same transaction.
"""

from dataclasses import dataclass

from psycopg import sql

from cloud.store.connection import Connection

_SPAN = sql.SQL(
    """
    coalesce((extract(epoch FROM lower(valid)) * 1000000)::bigint - 946684800000000, -9223372036854775808),
    coalesce((extract(epoch FROM upper(valid)) * 1000000)::bigint - 946684800000000, 9223372036854775807)
    """
)


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A registered gateway."""

    id: int
    organisation_id: int
    name: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A batch key that its gateway's TLS key has certified; `refused` ones open nothing."""

    key_id: bytes
    gateway_id: int
    public_key: bytes
    refused: bool


@dataclass(frozen=True, slots=True)
class SpanRow:
    """`target` holds for `owner` (and `channel`) from `from_us` until before `to_us` (PostgreSQL time)."""

    owner: int
    channel: str
    target: int
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """A declared layout."""

    gateway_id: int
    layout: str
    channels: tuple[str, ...]
    exponents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DirectoryRows:
    """Everything at one version."""

    version: int
    gateways: tuple[GatewayRow, ...]
    keys: tuple[KeyRow, ...]
    sites: tuple[SpanRow, ...]
    """gateway -> site."""
    channels: tuple[SpanRow, ...]
    """(gateway, channel) -> point."""
    exponents: tuple[SpanRow, ...]
    """point -> exponent."""
    layouts: tuple[LayoutRow, ...]


async def version(connection: Connection) -> int:
    """Return the version as last committed."""
    row = await (await connection.execute("SELECT version FROM directory_version")).fetchone()
    assert row is not None
    return int(row[0])


async def hold(connection: Connection) -> int:
    """Return the version and keep it from growing until this transaction ends."""
    row = await (await connection.execute("SELECT version FROM directory_version FOR SHARE")).fetchone()
    assert row is not None
    return int(row[0])


async def change(connection: Connection) -> int:
    """Announce a change: the version grows when this transaction commits; changes queue behind each other."""
    cursor = await connection.execute("UPDATE directory_version SET version = version + 1 RETURNING version")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def load(connection: Connection) -> DirectoryRows:
    """Return everything at one version; run it in a REPEATABLE READ transaction."""
    number = await version(connection)
    gateways = await connection.execute(
        "SELECT id, organisation_id, name, revoked_at IS NOT NULL FROM gateways"
    )
    keys = await connection.execute(
        "SELECT key_id, gateway_id, public_key, refused_at IS NOT NULL FROM gateway_keys"
    )
    layouts = await connection.execute("SELECT gateway_id, layout, channels, exponents FROM layouts")
    return DirectoryRows(
        number,
        tuple(GatewayRow(*row) for row in await gateways.fetchall()),
        tuple(KeyRow(*row) for row in await keys.fetchall()),
        await _spans(connection, sql.SQL("SELECT gateway_id, '', site_id, {} FROM gateway_bindings")),
        await _spans(connection, sql.SQL("SELECT gateway_id, channel, point_id, {} FROM channel_bindings")),
        await _spans(connection, sql.SQL("SELECT point_id, '', exponent, {} FROM point_versions")),
        tuple(
            LayoutRow(gateway, layout, tuple(channels), tuple(exponents))
            for gateway, layout, channels, exponents in await layouts.fetchall()
        ),
    )


async def _spans(connection: Connection, statement: sql.SQL) -> tuple[SpanRow, ...]:
    cursor = await connection.execute(statement.format(_SPAN) + sql.SQL(" ORDER BY 1, 2, 4"))
    return tuple(SpanRow(*row) for row in await cursor.fetchall())


async def repeatable(connection: Connection) -> None:
    """Let this transaction see one moment; call it first in the transaction."""
    await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
