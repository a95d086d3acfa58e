"""Settings of gateways as the hub keeps them: revisions, what is wanted, what is reported."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from wire.shadow import Reported


@dataclass(frozen=True, slots=True)
class Owner:
    """A gateway, as far as its settings go."""

    id: int
    organisation_id: int
    name: str
    site_id: int | None
    revoked: bool
    replaces_id: int | None


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a gateway's settings, without the document."""

    number: int
    author_kind: str
    """`account`, `token`, `command`, `nobody` (before there were accounts), `hub`; `gateway`: found there."""
    author: str
    reason: str
    made_at: datetime
    based_on: int
    """The revision that it was made from; 0: from nothing."""
    hash: str
    """SHA-256 of the document, hexadecimal."""


@dataclass(frozen=True, slots=True)
class Text:
    """A revision's document, TOML."""

    number: int
    document: str


@dataclass(frozen=True, slots=True)
class Desired:
    """What a gateway is to run with."""

    gateway: str
    gateway_id: int
    incarnation: int
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway said of its settings last."""

    incarnation: int
    number: int
    """The newest revision that it took in; 0: none."""
    state: str
    """`file`, `trying`, `applied`, `refused` or `rolled_back`."""
    faults: list[list[str]]
    """[where, what stands there, what was expected], ..."""
    running_incarnation: int
    running_number: int
    """The revision that it says it runs with; 0: its own file."""
    running_revision: int | None
    """The revision of the hub that has the very text that runs."""
    since: datetime | None
    received_at: datetime

    def heard(self, wanted: Desired) -> bool:
        """Whether it speaks of what is wanted."""
        return (self.incarnation, self.number) == (wanted.incarnation, wanted.number)

    def runs(self, wanted: Desired) -> bool:
        """Whether it says that it runs what is wanted, on trial or for good."""
        running = (self.running_incarnation, self.running_number)
        return self.heard(wanted) and running == (wanted.incarnation, wanted.number)


_OWNER = """
SELECT g.id, g.organisation_id, g.name, b.site_id, g.revoked_at IS NOT NULL AS revoked, g.replaces_id
  FROM gateways g LEFT JOIN gateway_bindings b ON b.gateway_id = g.id AND b.valid @> %s::timestamptz
 WHERE g.name = %s
"""


async def owner(connection: Connection, gateway: str, at: datetime) -> Owner | None:
    """Return a gateway by its id."""
    async with connection.cursor(row_factory=class_row(Owner)) as cursor:
        await cursor.execute(_OWNER, (at, gateway))
        return await cursor.fetchone()


async def site_kind(connection: Connection, owner: Owner) -> str | None:
    """Return what kind of site a gateway serves now; None where it serves none."""
    cursor = await connection.execute("SELECT kind FROM sites WHERE id = %s", (owner.site_id,))
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def hold(connection: Connection, gateway_id: int) -> None:
    """Have changes of one gateway's settings wait for each other until this transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK, gateway_id))


_LOCK = 0x48454E53


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision to be kept."""

    document: str
    hash: bytes
    author_kind: str
    author: str
    reason: str
    made_at: datetime
    based_on: int


async def add(connection: Connection, owner: Owner, new: NewRevision) -> int:
    """Keep a revision behind all others of the gateway, which is held, and return its number."""
    number = await newest(connection, owner.id) + 1
    await connection.execute(
        """
        INSERT INTO settings_revisions (organisation_id, gateway_id, number, document, hash, author_kind,
                                        author, reason, made_at, based_on)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(owner.organisation_id, owner.id, number, new.document, new.hash),
            *(new.author_kind, new.author, new.reason, new.made_at, new.based_on),
        ),
    )
    return number


async def newest(connection: Connection, gateway_id: int) -> int:
    """Return the highest number of a gateway's revisions; 0: it has none."""
    cursor = await connection.execute(
        "SELECT coalesce(max(number), 0) FROM settings_revisions WHERE gateway_id = %s", (gateway_id,)
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def want(connection: Connection, owner: Owner, number: int, *, incarnation: int | None = None) -> None:
    """Have a gateway run with a revision; without `incarnation` in that of before."""
    await connection.execute(
        """
        INSERT INTO settings_desired AS d (organisation_id, gateway_id, incarnation, number)
        VALUES (%s, %s, coalesce(%s, 0), %s)
            ON CONFLICT (gateway_id) DO UPDATE
               SET incarnation = coalesce(%s, d.incarnation), number = excluded.number
        """,
        (owner.organisation_id, owner.id, incarnation, number, incarnation),
    )


_DESIRED = """
SELECT g.name AS gateway, d.gateway_id, d.incarnation, d.number
  FROM settings_desired d JOIN gateways g ON g.id = d.gateway_id
"""


async def desired(connection: Connection, gateway_id: int) -> Desired | None:
    """Return what a gateway is to run with; None: the hub wants nothing of it."""
    async with connection.cursor(row_factory=class_row(Desired)) as cursor:
        await cursor.execute(_DESIRED + " WHERE d.gateway_id = %s", (gateway_id,))
        return await cursor.fetchone()


async def all_desired(connection: Connection) -> list[Desired]:
    """Return what every gateway that is not revoked is to run with."""
    async with connection.cursor(row_factory=class_row(Desired)) as cursor:
        await cursor.execute(_DESIRED + " WHERE g.revoked_at IS NULL")
        return await cursor.fetchall()


async def document(connection: Connection, gateway_id: int, number: int) -> str | None:
    """Return the text of a revision, None when there is no such."""
    cursor = await connection.execute(
        "SELECT document FROM settings_revisions WHERE gateway_id = %s AND number = %s", (gateway_id, number)
    )
    row = await cursor.fetchone()
    return None if row is None else str(row[0])


async def by_hash(connection: Connection, gateway_id: int, digest: bytes) -> int | None:
    """Return the newest revision with this very text, None when there is none."""
    cursor = await connection.execute(
        "SELECT max(number) FROM settings_revisions WHERE gateway_id = %s AND hash = %s", (gateway_id, digest)
    )
    row = await cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


async def found_since(connection: Connection, gateway_id: int, since: datetime) -> int:
    """Return how many revisions were made of what a gateway told, since a moment."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM settings_revisions
         WHERE gateway_id = %s AND author_kind = 'gateway' AND made_at > %s
        """,
        (gateway_id, since),
    )
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])


async def revisions(
    connection: Connection, gateway_id: int, *, before: int | None = None, limit: int = 100
) -> Sequence[Revision]:
    """Return revisions, the newest first, those with a number below `before`."""
    async with connection.cursor(row_factory=class_row(Revision)) as cursor:
        await cursor.execute(
            """
            SELECT number, author_kind, author, reason, made_at, based_on, encode(hash, 'hex') AS hash
              FROM settings_revisions
             WHERE gateway_id = %s AND (%s::int IS NULL OR number < %s)
             ORDER BY number DESC LIMIT %s
            """,
            (gateway_id, before, before, limit),
        )
        return await cursor.fetchall()


async def told(connection: Connection, gateway_id: int) -> Told | None:
    """Return what a gateway said last; None: nothing yet."""
    async with connection.cursor(row_factory=class_row(Told)) as cursor:
        await cursor.execute(
            """
            SELECT incarnation, number, state, faults, running_incarnation, running_number, running_revision,
                   since, received_at
              FROM settings_reported WHERE gateway_id = %s
            """,
            (gateway_id,),
        )
        return await cursor.fetchone()


async def keep_told(
    connection: Connection,
    owner: Owner,
    said: Reported,
    *,
    running_revision: int | None,
    received_at: datetime,
) -> None:
    """Keep what a gateway says in the place of what it said before."""
    faults = [[fault.path, fault.value, fault.expectation] for fault in said.faults]
    await connection.execute(
        """
        INSERT INTO settings_reported (organisation_id, gateway_id, incarnation, number, state, faults,
                                       running_incarnation, running_number, hash, running_revision, since,
                                       received_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, to_timestamp(%s::float8 / 1000), %s)
            ON CONFLICT (gateway_id) DO UPDATE
               SET incarnation = excluded.incarnation, number = excluded.number, state = excluded.state,
                   faults = excluded.faults, running_incarnation = excluded.running_incarnation,
                   running_number = excluded.running_number, hash = excluded.hash,
                   running_revision = excluded.running_revision, since = excluded.since,
                   received_at = excluded.received_at
        """,
        (
            *(owner.organisation_id, owner.id, said.revision.incarnation, said.revision.number),
            *(str(said.state), Jsonb(faults), said.running.incarnation, said.running.number),
            *(said.hash, running_revision, said.since_ms, received_at),
        ),
    )
