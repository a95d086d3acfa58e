"""Which user a service runs as when we are root, and what that user must own.

PostgreSQL refuses to run as root, and nothing should that need not. No user is created.
"""

import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """An unprivileged user of this machine."""

    name: str
    user_id: int
    group_id: int
    reads_anywhere: bool = False
    """Some folder on the way to its files is closed to it: it keeps the right to pass through."""

    @property
    def setpriv_options(self) -> list[str]:
        """Options of setpriv(1) that become this user and nothing more."""
        options = [f"--reuid={self.user_id}", f"--regid={self.group_id}", "--clear-groups"]
        if self.reads_anywhere:
            # Without no_setuid_fixup the kernel leaves the capability out of account in access(2).
            caps = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
            return [*options, *caps, "--securebits=+no_setuid_fixup"]
        return [*options, "--inh-caps=-all"]

    def own(self, folder: Path) -> None:
        """Hand a folder with all that is in it over to this user."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.user_id, self.group_id, follow_symlinks=False)


def service_user(candidates: Sequence[str], *needed: Path) -> ServiceUser | None:
    """Return the first candidate that exists, able to reach `needed`; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in (*candidates, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        closed = any(not _reachable(path, entry.pw_uid, entry.pw_gid) for path in needed)
        return ServiceUser(name, entry.pw_uid, entry.pw_gid, reads_anywhere=closed)
    raise LookupError(f"none of the users {[*candidates, 'nobody']} exists on this machine")


def _reachable(path: Path, user_id: int, group_id: int) -> bool:
    for folder in path.resolve().parents:
        if not folder.exists():
            continue
        status = folder.stat()
        if status.st_uid == user_id:
            wanted = 0o100
        elif status.st_gid == group_id:
            wanted = 0o010
        else:
            wanted = 0o001
        if not status.st_mode & wanted:
            return False
    return True
