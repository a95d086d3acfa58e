"""The four users of the demo: who they are, how they get their accounts, and what each of them sees.

The password is made once for each demo folder, lies in it (mode 0600), and is good on this machine alone.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.demo.files import ORGANISATION

_PASSWORD_BYTES = 9


@dataclass(frozen=True, slots=True)
class User:
    """One of the people who use Heng every day."""

    login: str
    name: str
    number: str
    role: str
    sees: Sequence[str]
    """Addresses that answer."""
    shut: Sequence[str]
    """Addresses that do not."""


EVERYBODY = ("/", "/api/latest")
USERS = (
    User("facilities", "He Ping", "1001", "facilities", ("/api/devices", "/coverage"), ("/api/audit",)),
    User("dispatch", "Sun Wei", "1002", "dispatcher", ("/map", "/api/positions"), ("/api/people",)),
    User("safety", "Zhou Min", "1003", "safety", ("/api/authorisations",), ("/api/audit",)),
    User("admin", "Lin Tao", "1004", "administrator", ("/people", "/api/audit"), ()),
)
ADMINISTRATOR = USERS[-1]


def password_of(folder: Path) -> str:
    """Return the demo's password; made when it is not there."""
    file = folder / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(_PASSWORD_BYTES) + "\n", encoding="ascii")
    return file.read_text(encoding="ascii").strip()


def people_file(password: str) -> str:
    """Return the TOML of `heng people apply`."""
    parts = [f'organisation = "{ORGANISATION}"\n']
    parts += [
        f'[[person]]\nnumber = "{user.number}"\nname = "{user.name}"\nlogin = "{user.login}"\n'
        f'roles = ["{user.role}"]\npassword = "{password}"\n'
        for user in USERS
    ]
    return "\n".join(parts)
