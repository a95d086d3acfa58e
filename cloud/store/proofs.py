"""Proof tests of interlocks: runs under way and over, and what gateways said meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cloud.store.connection import Connection
from cloud.store.shadow import Owner
from rules.interlock.proof import ProofRun

CLOCKS_APART = timedelta(seconds=5)
"""By so much a gateway's clock may be behind the hub's."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof test."""

    id: int
    gateway_id: int
    interlock: str
    begun_at: datetime
    ended_at: datetime | None
    run: ProofRun


_PROOFS = "SELECT id, gateway_id, interlock, begun_at, ended_at, run FROM control_proofs"


async def begin(connection: Connection, owner: Owner, run: ProofRun, *, at: datetime) -> int:
    """Keep a run that begins; `UniqueViolation` while one of this interlock is under way."""
    cursor = await connection.execute(
        """
        INSERT INTO control_proofs (organisation_id, gateway_id, interlock, rule, begun_at, begun_by, run)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (owner.organisation_id, owner.id, run.interlock, run.rule, at, run.by, msgspec.json.encode(run)),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def keep(connection: Connection, proof_id: int, run: ProofRun, *, ended_at: datetime | None) -> None:
    """Keep how far a run has come; one that has ended never changes."""
    await connection.execute(
        "UPDATE control_proofs SET run = %s, ended_at = %s, passed = %s WHERE id = %s AND ended_at IS NULL",
        (msgspec.json.encode(run), ended_at, run.passed, proof_id),
    )


async def list_proofs(
    connection: Connection, gateway_id: int, interlock: str, *, limit: int = 50
) -> list[Proof]:
    """Return the proof tests of an interlock, the newest first."""
    cursor = await connection.execute(
        _PROOFS + " WHERE gateway_id = %s AND interlock = %s ORDER BY id DESC LIMIT %s",
        (gateway_id, interlock, limit),
    )
    return [_proof(row) for row in await cursor.fetchall()]


async def under_way(
    connection: Connection, gateway_id: int, interlock: str, *, hold: bool = False
) -> Proof | None:
    """Return the run that is under way; with `hold` nobody else goes on with it meanwhile."""
    cursor = await connection.execute(
        _PROOFS
        + " WHERE gateway_id = %s AND interlock = %s AND ended_at IS NULL"
        + (" FOR UPDATE" if hold else ""),
        (gateway_id, interlock),
    )
    row = await cursor.fetchone()
    return None if row is None else _proof(row)


async def told_since(
    connection: Connection, gateway_id: int, interlock: str, *, since: datetime
) -> list[tuple[str, str, str]]:
    """Return (kind, causes, reason) of what a gateway told of an interlock since a step began, in order.

    It has to have come, and to have happened, since then.
    """
    cursor = await connection.execute(
        """
        SELECT kind, coalesce(data ->> 'causes', ''), coalesce(data ->> 'reason', '') FROM events
         WHERE gateway_id = %s AND kind IN ('interlock_voted', 'interlock_enabled') AND subject = %s
           AND stored_at >= %s AND observed_at >= %s
         ORDER BY id
        """,
        (gateway_id, interlock, since, since - CLOCKS_APART),
    )
    return [(str(kind), str(causes), str(reason)) for kind, causes, reason in await cursor.fetchall()]


def _proof(row: Sequence[Any]) -> Proof:
    id_, gateway_id, interlock, begun_at, ended_at, run = row
    return Proof(id_, gateway_id, interlock, begun_at, ended_at, msgspec.json.decode(run, type=ProofRun))
