"""A rest in a real journal: what is about to be written survives a process that dies the same moment."""

import asyncio
import shutil
from pathlib import Path

from edge.control.rests import Rests
from edge.journal.file import Surroundings
from edge.journal.journal import Journal
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from provisioning.keys import Ed25519Signer
from wire.messages import Clock
from wire.status import ClockState

BOOT = b"B" * 16


def journal_in(folder: Path) -> Journal:
    given = Surroundings(
        Sealer("lab-1", Ed25519Signer.generate()), lambda: b"i" * 16, lambda: None, Limits(10**9, 1e9)
    )
    clock = Clock(ClockState.UNSYNCHRONISED)
    return Journal(folder, given, boot=BOOT, clock=lambda: clock, now=lambda: 70.5, memory_bytes_max=10**6)


def rests(journal: Journal) -> Rests:
    return Rests(
        remember=journal.remember,
        recall=journal.recall,
        whole=True,
        boot=BOOT,
        now=lambda: 70.5,
    )


def test_rest_is_in_the_journal_of_a_gateway_that_is_killed_before_the_device_is_written(
    tmp_path: Path,
) -> None:
    async def story() -> float | None:
        async with journal_in(tmp_path / "data") as journal:
            await journal.open([])
            rests(journal).written("room/compressor")
            assert await journal.commit()
            shutil.copytree(tmp_path / "data", tmp_path / "killed")
        async with journal_in(tmp_path / "killed") as journal:
            await journal.open([])
            return rests(journal).last("room/compressor")

    assert asyncio.run(story()) == 70.5
