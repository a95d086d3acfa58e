"""Commands to gateways: what was asked, by whom, what was approved and sent, and every receipt that came.

What was sent never changes. How a command stands is computed, never stored: so nothing is shown as done that
no receipt confirmed, and what nobody answered for is `unknown` from its deadline on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from cloud.store.connection import Connection
from wire.messages import Scalar

CHANNEL = "heng_commands"
"""The NOTIFY channel of commands that are to be sent."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command and how it stands."""

    id: str
    """128 random bits, hexadecimal."""
    number: int
    """Its place in the order in which commands were asked for."""
    gateway: str
    gateway_id: int
    organisation_id: int
    site_id: int | None
    """Where the gateway served then."""
    site: str | None
    name: str
    arguments: dict[str, Any]
    asker_kind: str
    """`account`, `token`, `command` (at the machine), `nobody` (before there were accounts), `hub`."""
    asker: str
    by: str
    """As the gateway is told: the number of a person, or what made the hub ask."""
    rights: list[str]
    key: str | None
    asked_at: datetime
    valid_ms: int
    """So long it may take to be begun, once it is sent."""
    approve_until: datetime | None
    """Until when another person has to approve it; None: nobody has to."""
    approver: str
    second: str
    """The number of who approved it."""
    approved_at: datetime | None
    refused: str
    """Why it was never sent: a word; empty: it was, or it waits."""
    refused_text: str
    issued_at: datetime | None
    not_after: datetime | None
    incarnation: int | None
    fence: int | None
    boot: str | None
    not_after_tick: int | None
    outcome: str
    """State of the receipt that counts; empty: none came."""
    answer_word: str
    """Why nothing was done, or nobody knows whether it was, as that receipt says: a word; else empty."""
    answer: str
    """The same as the gateway's sentence."""

    def state(self, now: datetime) -> str:
        """Return how it stands: a word of `STATES`."""
        if self.refused:
            return "not_sent"
        if self.issued_at is None:
            return "waiting" if self.approve_until is None or now <= self.approve_until else "lapsed"
        if self.outcome in FINAL:
            return self.outcome
        if self.not_after is not None and now > self.not_after:
            return "unknown"
        return self.outcome or "sent"


FINAL = frozenset({"executed", "refused", "expired", "failed"})
STATES = (
    *("waiting", "lapsed", "not_sent", "sent", "accepted"),
    *("executed", "refused", "expired", "failed", "unknown"),
)
"""`waiting`: for who approves it; `lapsed`: nobody did; `not_sent`: refused at the hub; `sent`: no receipt
yet; `unknown`: its deadline is over, nobody knows whether it was done. The others are what receipts say."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway said became of a command."""

    state: str
    reason: str
    text: str
    data: dict[str, Any]
    at: datetime | None
    received_at: datetime
    from_journal: bool
    """What the journal says is evidence; the copy that came ahead of it is not."""


@dataclass(frozen=True, slots=True)
class NewCommand:
    """A command to be kept."""

    id: bytes
    organisation_id: int
    gateway_id: int
    site_id: int | None
    name: str
    arguments: dict[str, Scalar]
    asker_kind: str
    asker: str
    by: str
    rights: Sequence[str]
    key: str | None
    asked_at: datetime
    valid_ms: int
    approve_until: datetime | None
    refused: str = ""
    refused_text: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """What is settled when a command is sent."""

    issued_at: datetime
    not_after: datetime
    boot: bytes | None
    not_after_tick: int | None


async def add(connection: Connection, new: NewCommand) -> None:
    """Keep a command that is not sent yet."""
    await connection.execute(
        """
        INSERT INTO commands (id, organisation_id, gateway_id, site_id, name, arguments, asker_kind, asker,
                              by_person, rights, key, asked_at, valid_ms, approve_until, refused,
                              refused_text)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *(new.id, new.organisation_id, new.gateway_id, new.site_id, new.name, Jsonb(new.arguments)),
            *(new.asker_kind, new.asker, new.by, list(new.rights), new.key, new.asked_at, new.valid_ms),
            *(new.approve_until, new.refused, new.refused_text),
        ),
    )


async def approve(
    connection: Connection, command_id: bytes, *, kind: str, approver: str, second: str, at: datetime
) -> None:
    """Write down who else is for it."""
    await connection.execute(
        """
        UPDATE commands SET approver_kind = %s, approver = %s, second_person = %s, approved_at = %s
         WHERE id = %s
        """,
        (kind, approver, second, at, command_id),
    )


async def refuse(connection: Connection, command_id: bytes, *, word: str, text: str) -> None:
    """Write down why a command that waits is never sent."""
    await connection.execute(
        "UPDATE commands SET refused = %s, refused_text = %s WHERE id = %s AND issued_at IS NULL",
        (word, text, command_id),
    )


async def release(connection: Connection, command_id: bytes, gateway_id: int, *, settled: Release) -> None:
    """Give a command its number and send it, when this transaction commits.

    Commands of one gateway are numbered one after the other, in the order in which they commit.
    """
    await connection.execute(
        """
        INSERT INTO control_fences (organisation_id, gateway_id)
        SELECT organisation_id, id FROM gateways WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (gateway_id,),
    )
    cursor = await connection.execute(
        "UPDATE control_fences SET number = number + 1 WHERE gateway_id = %s RETURNING incarnation, number",
        (gateway_id,),
    )
    row = await cursor.fetchone()
    assert row is not None
    await connection.execute(
        """
        UPDATE commands SET issued_at = %s, not_after = %s, boot = %s, not_after_tick = %s,
                            incarnation = %s, fence = %s
         WHERE id = %s AND issued_at IS NULL
        """,
        (settled.issued_at, settled.not_after, settled.boot, settled.not_after_tick, *row, command_id),
    )
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(gateway_id)))


async def begin_anew(
    connection: Connection, organisation_id: int, gateway_id: int, *, seen: tuple[int, int]
) -> int | None:
    """Begin an incarnation that a gateway has not seen, if it has seen more than was given out here."""
    if seen == (0, 0):
        return None
    cursor = await connection.execute(
        """
        INSERT INTO control_fences AS f (organisation_id, gateway_id, incarnation, number)
        VALUES (%(organisation)s, %(gateway)s, %(incarnation)s + 1, 0)
            ON CONFLICT (gateway_id) DO UPDATE SET incarnation = excluded.incarnation, number = 0
             WHERE (f.incarnation, f.number) < (%(incarnation)s, %(number)s)
        RETURNING incarnation
        """,
        {
            "organisation": organisation_id,
            "gateway": gateway_id,
            "incarnation": seen[0],
            "number": seen[1],
        },
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


_COMMANDS = """
SELECT encode(c.id, 'hex') AS id, c.number, g.name AS gateway, c.gateway_id, c.organisation_id, c.site_id,
       s.name AS site, c.name, c.arguments, c.asker_kind, c.asker, c.by_person AS by, c.rights, c.key,
       c.asked_at, c.valid_ms, c.approve_until, c.approver, c.second_person AS second, c.approved_at,
       c.refused, c.refused_text, c.issued_at, c.not_after, c.incarnation, c.fence,
       encode(c.boot, 'hex') AS boot, c.not_after_tick, c.outcome,
       coalesce(a.reason, '') AS answer_word, coalesce(a.text, '') AS answer
  FROM commands c
  JOIN gateways g ON g.id = c.gateway_id
  LEFT JOIN sites s ON s.id = c.site_id
  LEFT JOIN LATERAL (SELECT r.reason, r.text FROM command_receipts r
                      WHERE r.command_id = c.id AND r.state = c.outcome
                      ORDER BY r.text = '', r.id LIMIT 1) a ON c.outcome IN ('refused', 'expired', 'failed')
"""


async def list_commands(
    connection: Connection,
    *,
    gateway: str | None = None,
    site_id: int | None = None,
    name: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Command]:
    """Return commands, the newest first, those with a number smaller than `before`."""
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS
            + """
            WHERE (%(gateway)s::text IS NULL OR g.name = %(gateway)s)
              AND (%(site_id)s::int IS NULL OR c.site_id = %(site_id)s)
              AND (%(name)s::text IS NULL OR c.name = %(name)s)
              AND (%(before)s::bigint IS NULL OR c.number < %(before)s)
            ORDER BY c.number DESC LIMIT %(limit)s
            """,
            {"gateway": gateway, "site_id": site_id, "name": name, "before": before, "limit": limit},
        )
        return await cursor.fetchall()


async def get_command(connection: Connection, command_id: bytes, *, hold: bool = False) -> Command | None:
    """Return one command; with `hold` nobody else changes it until this transaction ends."""
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS + "WHERE c.id = %s" + (" FOR UPDATE OF c" if hold else ""), (command_id,)
        )
        return await cursor.fetchone()


async def by_key(
    connection: Connection, organisation_id: int, asker: tuple[str, str], *, key: str
) -> Command | None:
    """Return what an asker called by a key before; nobody else uses the key until this transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"{organisation_id} {asker[0]} {asker[1]} {key}",),
    )
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS + "WHERE c.organisation_id = %s AND c.asker_kind = %s AND c.asker = %s AND c.key = %s",
            (organisation_id, *asker, key),
        )
        return await cursor.fetchone()


async def list_waiting(connection: Connection, now: datetime) -> list[Command]:
    """Return what waits to be approved."""
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS
            + "WHERE c.issued_at IS NULL AND c.refused = '' AND c.approve_until >= %s ORDER BY c.number",
            (now,),
        )
        return await cursor.fetchall()


async def waiting_alike(
    connection: Connection, gateway_id: int, name: str, *, about: dict[str, Scalar], now: datetime
) -> Command | None:
    """Return the command about the same that waits to be approved; nobody else asks until this is over."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (f"{gateway_id} {name}",)
    )
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS
            + """
            WHERE c.gateway_id = %s AND c.name = %s AND c.arguments @> %s AND c.issued_at IS NULL
              AND c.refused = '' AND c.approve_until >= %s ORDER BY c.number LIMIT 1
            """,
            (gateway_id, name, Jsonb(about), now),
        )
        return await cursor.fetchone()


async def list_unsent(connection: Connection, now: datetime, *, limit: int) -> list[Command]:
    """Return what is to be sent, again too: released, in time, without any receipt; the oldest first."""
    async with connection.cursor(row_factory=class_row(Command)) as cursor:
        await cursor.execute(
            _COMMANDS
            + """
            WHERE c.issued_at IS NOT NULL AND c.outcome = ''
              AND c.not_after >= %s AND g.revoked_at IS NULL
            ORDER BY c.gateway_id, c.incarnation, c.fence LIMIT %s
            """,
            (now, limit),
        )
        return await cursor.fetchall()


async def keep_receipt(connection: Connection, command: Command, receipt: Receipt) -> bool:
    """Keep a receipt and let the strongest one count; return False for one that is here already."""
    cursor = await connection.execute(
        """
        INSERT INTO command_receipts (organisation_id, command_id, gateway_id, site_id, state, reason, text,
                                      data, at, received_at, from_journal)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING 1
        """,
        (
            *(command.organisation_id, bytes.fromhex(command.id), command.gateway_id, command.site_id),
            *(receipt.state, receipt.reason, receipt.text, Jsonb(receipt.data), receipt.at),
            *(receipt.received_at, receipt.from_journal),
        ),
    )
    if await cursor.fetchone() is None:
        return False
    await connection.execute(
        """
        UPDATE commands SET outcome = %(state)s
         WHERE id = %(id)s AND array_position(%(order)s, outcome) < array_position(%(order)s, %(state)s)
        """,
        {"id": bytes.fromhex(command.id), "state": receipt.state, "order": list(ORDER)},
    )
    return True


async def last_moved(connection: Connection, gateway_id: int) -> datetime | None:
    """Return when one of the last commands of a gateway was sent or answered, but for the journal's copy."""
    cursor = await connection.execute(
        """
        SELECT max(greatest(c.issued_at, r.received_at))
          FROM (SELECT id, issued_at FROM commands WHERE gateway_id = %s AND issued_at IS NOT NULL
                 ORDER BY number DESC LIMIT 5) c
          LEFT JOIN command_receipts r ON r.command_id = c.id AND NOT r.from_journal
        """,
        (gateway_id,),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


ORDER = ("", "accepted", "refused", "expired", "failed", "executed")
"""A later one beats an earlier one, in whatever order they come: who refuses a command that came twice does
not make undone what the first one did."""


async def receipts(connection: Connection, command_id: bytes) -> list[Receipt]:
    """Return the receipts of a command in the order in which they came."""
    async with connection.cursor(row_factory=class_row(Receipt)) as cursor:
        await cursor.execute(
            """
            SELECT state, reason, text, data, at, received_at, from_journal
              FROM command_receipts WHERE command_id = %s ORDER BY id
            """,
            (command_id,),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Told:
    """A receipt as it stands in the journal."""

    command: str
    data: dict[str, Any]
    observed_at: datetime
    stored_at: datetime


async def told_in_journals(connection: Connection, since: datetime, *, oldest: datetime) -> list[Told]:
    """Return journals' receipts of commands sent since a moment, or still open, that are not kept yet.

    Of an open command whose deadline was before `oldest` no journal says anything any more.
    """
    async with connection.cursor(row_factory=class_row(Told)) as cursor:
        await cursor.execute(
            """
            SELECT encode(c.id, 'hex') AS command, e.data, e.observed_at, e.stored_at
              FROM commands c
              JOIN events e ON e.kind = 'command_receipt' AND e.data ->> 'command' = encode(c.id, 'hex')
                           AND e.gateway_id = c.gateway_id
             WHERE c.issued_at IS NOT NULL
               AND (c.outcome IN ('', 'accepted') AND c.not_after > %s OR c.issued_at > %s)
               AND e.data ->> 'state' IN ('accepted', 'executed', 'refused', 'expired', 'failed')
               AND NOT EXISTS (SELECT FROM command_receipts r
                                WHERE r.command_id = c.id AND r.from_journal AND r.state = e.data ->> 'state'
                                  AND r.reason = coalesce(e.data ->> 'reason', ''))
             ORDER BY e.id LIMIT 500
            """,
            (oldest, since),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class Asker:
    """The person of an account, as gateways know them, with what they are authorised for at a moment."""

    organisation_id: int
    number: str
    """Of a person of this organisation: the same number elsewhere is somebody else."""
    kind: str
    """`staff` or `visitor`."""
    left: bool
    """Whether the person left, is suspended or revoked, or is not there at that time."""
    activities: list[str]


async def asker_of(connection: Connection, account_id: int, at: datetime) -> Asker | None:
    """Return the person of an account, whether or not who asks may see people."""
    async with connection.cursor(row_factory=class_row(Asker)) as cursor:
        await cursor.execute(
            """
            SELECT p.organisation_id, p.number, p.kind,
                   coalesce(p.left_at <= %(at)s, false) OR coalesce(s.state <> 'active', false)
                   OR NOT coalesce(s.valid @> %(at)s::timestamptz, true) AS left,
                   coalesce((SELECT array_agg(z.subject) FROM public.authorisations z
                              WHERE z.person_id = p.id AND z.kind = 'activity'
                                AND z.valid @> %(at)s::timestamptz
                                AND (z.withdrawn_at IS NULL OR z.withdrawn_at > %(at)s)),
                            '{}') AS activities
              FROM public.accounts a JOIN public.people p ON p.id = a.person_id
              LEFT JOIN public.access_people s ON s.person_id = p.id
             WHERE a.id = %(account)s
            """,
            {"account": account_id, "at": at},
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class AskingAccount:
    """The account behind who asked for a command, as it stands now."""

    id: int
    scopes: list[str] | None
    """Of the token it was asked with; None: it was asked in a session."""


async def asking_account(connection: Connection, kind: str, asker: str, at: datetime) -> AskingAccount | None:
    """Return whose account asked, whether or not who looks may see it; None: it, or its token, has ended."""
    login, _, token = asker.partition("/")
    async with connection.cursor(row_factory=class_row(AskingAccount)) as cursor:
        await cursor.execute(
            """
            SELECT a.id, t.scopes
              FROM public.accounts a JOIN public.people p ON p.id = a.person_id
              LEFT JOIN public.api_tokens t ON t.account_id = a.id AND t.name = %(token)s
                   AND t.ended_at IS NULL AND t.expires_at > %(at)s
             WHERE a.login = %(login)s AND a.disabled_at IS NULL AND (p.left_at IS NULL OR p.left_at > %(at)s)
               AND (%(session)s OR t.id IS NOT NULL)
             ORDER BY t.id DESC LIMIT 1
            """,
            {"login": login, "token": token, "at": at, "session": kind == "account"},
        )
        return await cursor.fetchone()
