"""Signs the end of the audit log as it grows, and writes each head where no database owner reaches it."""

import asyncio
import logging
import os
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

    A head goes onto the end of a file, where one is given, into the database, and into the process's log.
    The file is first: what could not be written there is signed again. Raises psycopg's errors and `OSError`.
    """
    while True:
        async with changing(pool) as connection:
            head = await sign_head(connection, signer, at=now())
            if head is not None and file is not None:
                await asyncio.to_thread(_append, file, head_line(head))
        if head is not None:
            _log.info("audit head: %s", head_line(head))
        await asyncio.sleep(every_s)


def _append(file: Path, line: str) -> None:
    """Write a line durably; one that a power cut tore before it ends here."""
    with file.open("ab+") as lines:
        lines.seek(max(0, lines.seek(0, os.SEEK_END) - 1))
        torn = lines.read(1) not in (b"", b"\n")
        lines.write(b"\n" * torn + line.encode() + b"\n")
        lines.flush()
        os.fsync(lines.fileno())
