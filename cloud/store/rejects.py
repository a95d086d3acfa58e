"""What was refused at the door: the last of them, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.store.connection import Connection

REJECTS_MAX = 10_000
HEAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused message; `head` is its first bytes."""

    topic: str
    stage: str
    reason: str
    size: int
    head: bytes


async def insert(connection: Connection, rejects: Sequence[Reject]) -> None:
    """Keep these and only the newest `REJECTS_MAX` of all."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO rejects (topic, stage, reason, bytes, head) VALUES (%s, %s, %s, %s, %s)",
            [
                (_plain(r.topic)[:200], r.stage, _plain(r.reason)[:400], r.size, r.head[:HEAD_BYTES])
                for r in rejects
            ],
        )
        await cursor.execute(
            "DELETE FROM rejects WHERE id <= (SELECT max(id) FROM rejects) - %s", (REJECTS_MAX,)
        )


def _plain(text: str) -> str:
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()
