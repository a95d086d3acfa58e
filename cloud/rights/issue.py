"""The next revision of a gateway's rights: numbered and committed before anything of it is sent.

What ends somebody's rights gets a revision of its own, a revocation, which needs no base; the snapshot that
says the same follows with the next number.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
import psycopg

from cloud.rights_compile import (
    NOTHING,
    VISITS_STAY,
    Ended,
    compile_rights,
    ended_between,
    same_rights,
)
from cloud.rights_documents import document_at
from cloud.store import rights_issued as store
from cloud.store.connection import Connection
from cloud.store.rights_issued import Issued, Served, deflated
from cloud.store.rights_rows import EndedNow, Rows, read_rows
from rules.access.document import AccessRights, Revocation
from rules.access.intake import delta_between
from rules.access.snapshot import digest_of, normalised
from rules.access.words import CredentialState, Effect, PersonState
from wire.shadow import COUNTER_MAX, Revision

_encoder = msgspec.json.Encoder()
_revocation = msgspec.json.Decoder(Revocation)

DELTAS_MAX = 50
"""So many deltas stand behind a whole snapshot in the store."""
RENEWED_AT = 0.4
"""Part of the age limit after which the same rights are issued again."""
LISTED_MAX = 10_000
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Held:
    """The newest rights of a gateway."""

    document: AccessRights
    """Normalised."""
    digest: bytes
    deltas: int
    """Behind the last whole snapshot in the store."""
    ended: Ended = NOTHING
    """By revocations behind the document."""
    number: int = 0
    """The last one given out: of the document, or of a revocation behind it."""
    revocation: Revocation | None = None
    """The last one behind the document; it says all of `ended`. A gateway is told it until it knows."""

    @property
    def revision(self) -> Revision:
        """Of the document."""
        return self.document.revision


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at a gateway came to."""

    held: Held | None
    revocation: Revocation | None = None
    issued: bool = False
    """Whether there is a new document."""
    faults: tuple[str, ...] = field(default=())


async def load(connection: Connection, gateway: Served) -> Held | None:
    """Return the newest rights as the store has them; None where none were ever issued."""
    newest = Revision(COUNTER_MAX, COUNTER_MAX)
    found = await document_at(connection, gateway.gateway_id, newest)
    if found is None:
        return None
    document, deltas = found
    later = await store.revocations_after(connection, gateway.gateway_id, document.revision)
    ended = Ended()
    number = document.revision.number
    for one in later:
        ended = _joined(ended, Ended(**{name: tuple(keys) for name, keys in one.ended.items()}))
        number = one.number if one.incarnation == document.revision.incarnation else number
    last = _revocation.decode(later[-1].body) if later else None
    return Held(document, digest_of(document), deltas, ended, number, last)


async def revoke_now(
    connection: Connection,
    gateway: Served,
    held: Held,
    *,
    ended: EndedNow,
    now: datetime,
) -> Step:
    """Number and keep a revocation of what was just ended and still stands in the newest document.

    It looks at short lists and compiles nothing: it is the quick part of a revocation, and the one that
    still works while the rights contradict themselves and nothing new is issued.
    """
    fresh = _without(_still_in(held.document, ended, at_ms=_ms(now)), held.ended)
    if not fresh:
        return Step(held)
    async with connection.transaction():
        state = await store.hold_state(connection, gateway)
        if (state.incarnation, state.number) != (held.revision.incarnation, held.number):
            return Step(None)  # Somebody else went on: what is held is read again.
        return await _revoke(connection, gateway, held, fresh=fresh, now=now)


def _still_in(document: AccessRights, ended: EndedNow, *, at_ms: int) -> Ended:
    standing = ended.standing
    return Ended(
        tuple(
            one.token
            for one in document.credentials
            if one.token in ended.tokens and one.state is CredentialState.ACTIVE
        ),
        tuple(
            one.id for one in document.people if one.id in ended.people and one.state is PersonState.ACTIVE
        ),
        tuple(
            one.id
            for one in document.rights
            if standing is not None and one.id not in standing and one.effect is not Effect.DENY
            if not one.valid.after(at_ms)
        ),
        tuple(one.id for one in document.visits if one.id in ended.visits and not one.valid.after(at_ms)),
    )


async def issue(
    connection: Connection,
    gateway: Served,
    held: Held | None,
    *,
    now: datetime,
    beyond: Revision | None = None,
) -> Step:
    """Compile a gateway's rights and, where they changed or grow old, number and keep a new revision.

    `beyond`: the gateway honours this, which is not known here; a new incarnation begins.
    """
    for _ in range(_TRIES - 1):
        with suppress(psycopg.errors.SerializationFailure):  # Somebody else went on meanwhile.
            return await _issue(connection, gateway, held, now=now, beyond=beyond)
    return await _issue(connection, gateway, held, now=now, beyond=beyond)


async def _issue(
    connection: Connection,
    gateway: Served,
    held: Held | None,
    *,
    now: datetime,
    beyond: Revision | None,
) -> Step:
    async with connection.transaction():
        # The rows are those of one moment: half of what an act entered would make other rights.
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        state = await store.hold_state(connection, gateway)
        rows = await read_rows(connection, gateway.site_id, visits_since=now - VISITS_STAY)
        if rows is None:
            return Step(held)
        if held is not None and (state.incarnation, state.number) != (held.revision.incarnation, held.number):
            held = await load(connection, gateway)
        made = await asyncio.to_thread(_compiled, rows, gateway.gateway, held=held, now=now)
        await store.set_faults(connection, gateway, made.faults, at=now)
        document = made.document
        if document is None:
            return Step(held, faults=made.faults)
        if held is not None and beyond is None and not made.due:
            return Step(held)
        step = Step(held)
        incarnation, number = state.incarnation, state.number
        if beyond is not None:
            incarnation, number, held = beyond.incarnation + 1, 0, None
            step = Step(None)
        elif held is not None:
            fresh = _without(made.ended, held.ended)
            if fresh:
                step = await _revoke(connection, gateway, held, fresh=fresh, now=now)
                assert step.held is not None
                held, number = step.held, step.held.number
        revision = Revision(incarnation, number + 1)
        document = msgspec.structs.replace(document, revision=revision, issued_at_ms=_ms(now))
        return replace(
            step, held=await _keep(connection, gateway, held, document=document, now=now), issued=True
        )


async def _revoke(
    connection: Connection, gateway: Served, held: Held, *, fresh: Ended, now: datetime
) -> Step:
    number = held.number + 1
    # It says everything that ended behind the document: who knows this one needs none before it.
    said = _joined(fresh, held.ended)
    revocation = Revocation(
        gateway=gateway.gateway,
        revision=Revision(held.revision.incarnation, number),
        issued_at_ms=_ms(now),
        credentials=said.credentials[:LISTED_MAX],
        people=said.people[:LISTED_MAX],
        rights=said.rights[:LISTED_MAX],
        visits=said.visits[:LISTED_MAX],
    )
    body, ended = deflated(_encoder.encode(revocation)), msgspec.to_builtins(fresh)
    row = Issued(held.revision.incarnation, number, "revocation", None, body, now, ended)
    await store.add(connection, gateway, row)
    joined = _joined(held.ended, fresh)
    return Step(replace(held, ended=joined, number=number, revocation=revocation), revocation)


async def _keep(
    connection: Connection, gateway: Served, held: Held | None, *, document: AccessRights, now: datetime
) -> Held:
    row, made = await asyncio.to_thread(_packed, held, document, now)
    await store.add(connection, gateway, row)
    return made


def _packed(held: Held | None, document: AccessRights, now: datetime) -> tuple[Issued, Held]:
    """Return a document as it is kept: whole, or as what makes it of the one before where that is small."""
    body, kind, deltas = _encoder.encode(document), "snapshot", 0
    delta = None if held is None or held.deltas >= DELTAS_MAX else delta_between(held.document, document)
    if delta is not None and held is not None:
        small = _encoder.encode(delta)
        if len(small) < len(body) // 2:
            body, kind, deltas = small, "delta", held.deltas + 1
    digest, revision = digest_of(document), document.revision
    row = Issued(revision.incarnation, revision.number, kind, digest, deflated(body), now, {})
    return row, Held(document, digest, deltas, number=revision.number)


@dataclass(frozen=True, slots=True)
class _Made:
    document: AccessRights | None
    faults: tuple[str, ...]
    due: bool = False
    """Whether it says something else than what is held, or what is held grows old."""
    ended: Ended = NOTHING


def _compiled(rows: Rows, gateway: str, *, held: Held | None, now: datetime) -> _Made:
    """Return what the rows come to; it takes a while for many people, so that others wait elsewhere."""
    made = compile_rights(rows, gateway, now=now)
    if made.rights is None:
        return _Made(None, made.faults)
    document = normalised(made.rights)
    if held is None:
        return _Made(document, (), due=True)
    age_s = (_ms(now) - held.document.issued_at_ms) / 1000
    if same_rights(held.document, document):
        return _Made(document, (), due=age_s >= RENEWED_AT * held.document.max_age_s)
    return _Made(document, (), due=True, ended=ended_between(held.document, document, at_ms=_ms(now)))


def _without(ended: Ended, known: Ended) -> Ended:
    return Ended(
        _less(ended.credentials, known.credentials),
        _less(ended.people, known.people),
        _less(ended.rights, known.rights),
        _less(ended.visits, known.visits),
    )


def _less(some: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    gone = frozenset(known)
    return tuple(one for one in some if one not in gone)


def _joined(one: Ended, other: Ended) -> Ended:
    return Ended(
        one.credentials + other.credentials,
        one.people + other.people,
        one.rights + other.rights,
        one.visits + other.visits,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
