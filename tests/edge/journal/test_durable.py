"""A commit counts only after fsync: what the kernel was asked for, in which order, as strace saw it."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
    import os, sys
    from pathlib import Path
    from edge.journal.declared import Declared
    from edge.journal.file import Surroundings
    from edge.journal.group import gather
    from edge.journal.room import Limits
    from edge.journal.salvage import open_journal
    from edge.journal.sealer import Sealer
    from provisioning.keys import Ed25519Signer
    from wire.layouts import make_layout
    from wire.messages import Clock, Poll
    from wire.status import ClockState

    layout = make_layout(["room/0"], [-2])
    given = Surroundings(
        Sealer("lab-1", Ed25519Signer.generate()), lambda: os.urandom(16), lambda: None, Limits(10**9, 1e9)
    )
    journal, _ = open_journal(Path(sys.argv[1]), given)
    journal.start(b"B" * 16, Declared(layouts=[layout]))
    for tick in range(5):
        os.write(2, b"append\\n")
        groups = gather([Poll(layout.id, tick, [tick])], b"B" * 16, Clock(ClockState.UNSYNCHRONISED))
        journal.append(groups, seal=tick % 2)
        os.write(2, b"durable\\n")
"""


@pytest.mark.slow
@pytest.mark.requirement("G-7.2b")
def test_every_commit_is_synced_before_it_counts(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed: package strace"
    trace = tmp_path / "trace"
    calls = "trace=write,pwrite64,fsync,fdatasync"
    program = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "data")]
    subprocess.run([strace, "-f", "-y", "-e", calls, "-o", trace, *program], check=True, capture_output=True)
    lines = trace.read_text().splitlines()
    begins = [number for number, line in enumerate(lines) if '"append\\n"' in line]
    ends = [number for number, line in enumerate(lines) if '"durable\\n"' in line]
    assert len(begins) == len(ends) == 5
    for begin, end in zip(begins, ends, strict=True):
        during = lines[begin:end]
        written = [n for n, line in enumerate(during) if "pwrite64" in line and "journal.db-wal" in line]
        synced = [n for n, line in enumerate(during) if "sync(" in line and "journal.db-wal" in line]
        assert written
        assert synced
        assert max(synced) > max(written)
