"""A database server whose files lie below a home folder that is closed to everyone else."""

import subprocess
from pathlib import Path

from cli.embedded.service_user import service_user


def test_program_below_a_closed_folder_passes_its_own_access_check(tmp_path: Path) -> None:
    """initdb asks access(2) whether `postgres` beside it can be run; it ignores plain capabilities."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\nexit 0\n", "utf-8")
    program.chmod(0o755)
    user = service_user(("nobody",), program)
    become = ["setpriv", *user.setpriv_options] if user else []
    subprocess.run([*become, "test", "-x", program], check=True)
    subprocess.run([*become, program], check=True)
