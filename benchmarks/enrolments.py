"""Building blocks for measuring enrolment: many gateways with claims of their own, against one EST listener.

What is timed is all that a gateway does: keys, CA certificates, facts of the hub, certificate, files on disk.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import create_server

from cloud import gateway_acts
from cloud.enrol.service import EstListener
from cloud.enrol.settings import EnrolSettings
from cloud.gateway_acts import Actor, Wish
from cloud.store.connection import open_connection
from provisioning import enrolment
from provisioning.ca import CertificateAuthority
from provisioning.claim import Claim

ACTOR = Actor("command", "bench")


@dataclass(frozen=True, slots=True)
class Enrolments:
    """How it went."""

    number: int
    seconds: float
    slowest_s: float
    """The longest that one gateway took."""


@asynccontextmanager
async def est_listener(
    authority: CertificateAuthority, database_url: str, *, broker: str = "mqtts://127.0.0.1:8883"
) -> AsyncIterator[str]:
    """Serve EST on a free port of 127.0.0.1 over a database with the hub's tables; gives the URL."""
    with create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        serving = EstListener(
            EnrolSettings(authority.folder, url=url, broker=broker),
            authority,
            database_url=database_url,
            now=lambda: datetime.now(UTC),
            listener=listener,
        )
        up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serving.run(up.set))
            await up.wait()
            try:
                yield url
            finally:
                task.cancel()


async def make_claims(database_url: str, site: str, names: Sequence[str]) -> list[Claim]:
    """Make a claim for each name at a site that exists."""
    async with open_connection(database_url, "bench claims") as connection:
        return [
            (await gateway_acts.make_claim(connection, ACTOR, Wish(site, name), now=datetime.now(UTC))).claim
            for name in names
        ]


async def enrol_all(claims: Sequence[Claim], folder: Path, *, at_once: int = 4) -> Enrolments:
    """Enrol every gateway, so many at once, each into a folder of its own below `folder`."""
    loop = asyncio.get_running_loop()
    started = time.monotonic()
    with ThreadPoolExecutor(at_once, thread_name_prefix="enrol") as executor:
        took = await asyncio.gather(
            *(loop.run_in_executor(executor, _enrol, claim, folder / claim.gateway) for claim in claims)
        )
    return Enrolments(len(claims), time.monotonic() - started, max(took, default=0.0))


def _enrol(claim: Claim, folder: Path) -> float:
    started = time.monotonic()
    enrolment.enrol(claim, folder)
    return time.monotonic() - started
