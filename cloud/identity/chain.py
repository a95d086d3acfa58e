"""Judges the audit log: every hash, every number, every link, every signed head; and signs heads.

A row that was edited has another hash; one that was removed or put in breaks number and link. Who rewrites
the chain behind it contradicts a head that was signed before, and who takes rows from the end leaves a head
without its row. Heads stand in the database and, one line each, wherever they were written: the latter an
owner of the database cannot reach.
"""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cloud.store import audit_log
from cloud.store.audit_log import GENESIS, AuditRow, Head, row_hash
from cloud.store.connection import Connection
from provisioning.keys import Ed25519Signer, key_id_of, verify_ed25519

FAULTS_MAX = 100


@dataclass
class Verdict:
    """What was found."""

    rows: int = 0
    heads: int = 0
    signed: int = 0
    """The last row that a good head signs; 0: none."""
    signed_at: datetime | None = None
    """When that was."""
    unsigned: int = 0
    """Rows behind that one: whoever owns the database could still take them away unseen."""
    tip: str = GENESIS.hex()
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Note a fault; the first hundred are told."""
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(text)


def head_bytes(audit_id: int, digest: bytes, at: datetime) -> bytes:
    """Return what a head's signature covers."""
    when = at.astimezone(UTC).isoformat(timespec="microseconds")
    return f"heng audit head\n{audit_id}\n{digest.hex()}\n{when}".encode()


async def sign_head(connection: Connection, signer: Ed25519Signer, *, at: datetime) -> Head | None:
    """Sign the end of the chain as it is now and keep it; None when it is signed already or empty."""
    tip = await audit_log.read_tip(connection)
    if tip is None:
        return None
    number, digest = tip[0], bytes.fromhex(tip[1])
    head = Head(number, digest, at, signer.public_key, signer.sign(head_bytes(number, digest, at)))
    return head if await audit_log.add_head(connection, head) else None


def head_line(head: Head) -> str:
    """Return a head as one line of JSON, to be kept away from the database."""
    return json.dumps(
        {
            "audit_id": head.audit_id,
            "hash": head.hash.hex(),
            "at": head.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "public_key": head.public_key.hex(),
            "signature": head.signature.hex(),
        }
    )


def read_head_lines(path: Path) -> list[Head]:
    """Return the heads of a file; `ValueError` names the line that is none."""
    heads = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            said = json.loads(line)
            heads.append(
                Head(
                    int(said["audit_id"]),
                    bytes.fromhex(said["hash"]),
                    datetime.fromisoformat(said["at"]),
                    bytes.fromhex(said["public_key"]),
                    bytes.fromhex(said["signature"]),
                )
            )
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}:{number}: expected a head of the audit log") from None
    return heads


async def verify(
    rows: AsyncIterator[AuditRow], heads: Iterable[Head], *, trusted: frozenset[bytes] | None
) -> Verdict:
    """Judge rows in order of ids against heads; `trusted`: the hub's public keys (None: any that signed)."""
    verdict = Verdict()
    wanted = _by_row(heads, verdict, trusted=trusted)
    if wanted:
        verdict.signed = max(wanted)
        verdict.signed_at = max(head.at for head in wanted[verdict.signed])
    last, tip = 0, GENESIS.hex()
    async for row in rows:
        verdict.rows += 1
        if row.id != last + 1:
            verdict.fault(f"rows {last + 1} to {row.id - 1}: removed")
        elif row.previous != tip:
            verdict.fault(f"row {row.id}: does not follow row {last}: one was edited, removed or put in")
        if row_hash(row) != row.hash:
            verdict.fault(f"row {row.id}: edited, its hash is not that of its content")
        for head in wanted.pop(row.id, []):
            if head.hash.hex() != row.hash:
                verdict.fault(f"row {row.id}: another one than was signed at {head.at:%Y-%m-%dT%H:%M:%SZ}")
        last, tip = row.id, row.hash
        verdict.unsigned += row.id > verdict.signed
    for number in sorted(wanted):
        verdict.fault(
            f"row {number}: was signed and is not there" + (", removed at the end" * (number > last))
        )
    verdict.tip = tip
    return verdict


def _by_row(
    heads: Iterable[Head], verdict: Verdict, *, trusted: frozenset[bytes] | None
) -> dict[int, list[Head]]:
    """Return the good heads by the row that they sign, and note what is wrong with the others."""
    found: dict[int, list[Head]] = {}
    for head in heads:
        verdict.heads += 1
        if trusted is not None and head.public_key not in trusted:
            signer = key_id_of(head.public_key).hex()
            verdict.fault(f"head of row {head.audit_id}: signed by {signer}, which is no key of the hub")
        elif not verify_ed25519(head.public_key)(
            head_bytes(head.audit_id, head.hash, head.at), head.signature
        ):
            verdict.fault(f"head of row {head.audit_id}: its signature does not fit")
        else:
            found.setdefault(head.audit_id, []).append(head)
    return found
