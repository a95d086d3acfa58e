"""Signs the end of the audit log as it grows, and writes each head where no database owner reaches it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cloud.identity.chain import head_line, sign_head
from cloud.store.snapshot import Pool, changing
from provisioning.keys import Ed25519Signer

_log = logging.getLogger(__name__)

EVERY_S = 60.0


async def keep_heads(
    pool: Pool,
    signer: Ed25519Signer,
    *,
    file: Path | None,
    now: Callable[[], datetime],
    every_s: float = EVERY_S,
) -> None:
    """Sign until cancelled: at once and then so often, where the log went on.

    A head goes into the database, into the process's log and, where one is given, onto the end of a file.
    Raises psycopg's errors and `OSError`.
    """
    while True:
        async with changing(pool) as connection:
            head = await sign_head(connection, signer, at=now())
        if head is not None:
            line = head_line(head)
            _log.info("audit head: %s", line)
            if file is not None:
                await asyncio.to_thread(_append, file, line)
        await asyncio.sleep(every_s)


def _append(file: Path, line: str) -> None:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(line + "\n")
