"""A Mosquitto as it stands on a laboratory's LAN: no TLS, users with passwords or anybody."""

import base64
import hashlib
import os
import pwd
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from simulators.processes import daemon, find_program, free_port, wait_for_port

_ROUNDS = 101
"""Few: the passwords are made up, and the broker checks them while others wait."""


@asynccontextmanager
async def lan_broker(
    folder: Path, *, port: int = 0, users: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """Run a broker on 127.0.0.1 while the context is open; gives its port. `DaemonError`.

    `users` are names with their passwords; without them anybody may come.
    """
    port = port or free_port()
    lines = [f"listener {port} 127.0.0.1", f"user {pwd.getpwuid(os.geteuid()).pw_name}", "persistence false"]
    if users:
        (folder / "users").write_text("".join(f"{name}:{_hashed(word)}\n" for name, word in users.items()))
        (folder / "users").chmod(0o600)
        lines += ["allow_anonymous false", f"password_file {folder / 'users'}"]
    else:
        lines.append("allow_anonymous true")
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    log = folder / "mosquitto.log"
    program = find_program("mosquitto", "/usr/sbin", "/usr/local/sbin")
    async with daemon([program, "-c", str(folder / "mosquitto.conf")], log=log) as process:
        await wait_for_port(process, port, log=log)
        yield port


def _hashed(password: str) -> str:
    """Source: mosquitto_passwd(1), PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
