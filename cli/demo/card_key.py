"""The key of the demo's cards: one file for the hub and all gateways, made once for each demo folder."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from cli.commands.people import at_the_machine
from cli.demo.files import ORGANISATION
from cloud.card_acts import KEY_BYTES, take_key
from cloud.identity.acts import Act
from cloud.store import accounts
from cloud.store.connection import open_connection

FILE = "credential.key"


def key_of(folder: Path) -> bytes:
    """Return the demo's key; made when it is not there."""
    file = folder / FILE
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(secrets.token_bytes(KEY_BYTES))
    return file.read_bytes()


def lay(folder: Path, home: Path) -> None:
    """Lay the key into the data folder of a gateway, for it alone."""
    file, key = home / FILE, key_of(folder)
    if not file.exists() or file.read_bytes() != key:
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(key)


async def hand_over(folder: Path, owner_dsn: str) -> None:
    """Let the hub hash cards with this key."""
    key = key_of(folder)
    async with open_connection(owner_dsn, "demo") as connection, connection.transaction():
        act = Act(connection, at_the_machine(), datetime.now(UTC))
        known = await accounts.all_organisations(connection)
        number = next(id_ for id_, name in known.items() if name == ORGANISATION)
        await take_key(act, number, key)
