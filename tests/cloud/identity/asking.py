"""The whole application over three places, with sign-in required, asked in the process as anybody."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.identity.secrets import token_hash
from cloud.store.audit_log import Entry, append
from cloud.web.api_page import mount_api_page
from cloud.web.feed import LiveFeed
from cloud.web.pages import mount
from cloud.web.settings import WebSettings
from rules.permissions import Grant, Permission
from tests.cloud.identity.world import NOW, START, Place, build


class Files:
    """Media of a hub: the same bytes for every hash, one frame of every camera."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bytes"
        self._path.write_bytes(b"bytes")

    def file(self, sha256: str) -> Path | None:
        return self._path

    async def video(self, sha256: str, content_type: str) -> Path | None:
        return self._path

    def listening(self, gateway: str) -> bool:
        return True

    def wanted_changed(self, gateway: str) -> None:
        pass

    async def watch(self, gateway: str, camera: str) -> AsyncGenerator[bytes, None]:
        yield b"\xff\xd8\xff"


@dataclass
class World:
    """The application with sign-in required, and how to ask it as anybody."""

    app: FastAPI
    client: httpx.AsyncClient
    runner: asyncio.Runner
    lab: Any
    places: dict[str, Place]
    asker: int

    def token(self, *grants: Grant, scopes: Any = tuple(Permission)) -> str:
        """Give the asker these roles and no others, and return a token of theirs."""
        self.lab.execute("DELETE FROM role_grants WHERE account_id = %s", self.asker)
        for grant in grants:
            self.lab.execute(
                "INSERT INTO role_grants (organisation_id, account_id, role, at_site_id)"
                " VALUES (%s, %s, %s, %s)",
                grant.organisation_id,
                self.asker,
                str(grant.role),
                grant.site_id,
            )
        token = secrets.token_urlsafe()
        self.lab.execute(
            "INSERT INTO api_tokens (organisation_id, account_id, name, token_hash, scopes, expires_at)"
            " VALUES (1, %s, 'test', %s, %s, %s)",
            self.asker,
            token_hash(token),
            [str(one) for one in scopes],
            NOW + timedelta(days=1),
        )
        return token

    def session(self) -> dict[str, str]:
        """Return the cookies of a session of the asker."""
        token = secrets.token_urlsafe()
        self.lab.execute(
            "INSERT INTO web_sessions (token_hash, organisation_id, account_id, proven, created_at, used_at,"
            " ends_at, address) VALUES (%s, 1, %s, true, %s, %s, %s, 'test')",
            token_hash(token),
            self.asker,
            NOW,
            NOW,
            NOW + timedelta(hours=1),
        )
        return {"heng_session": token}

    def ask(self, path: str, token: str | None = None, method: str = "GET", **given: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client.cookies.clear()
        if cookies := given.pop("cookies", None):
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return self.runner.run(
            self.client.request(method, path, headers=headers | given.pop("headers", {}), **given)
        )


@contextmanager
def open_world(lab: Any) -> Iterator[World]:
    places = build(lab)
    (person,) = lab.execute(
        "INSERT INTO people (organisation_id, number, name) VALUES (1, 'asker', 'Asker') RETURNING id"
    )
    (asker,) = lab.execute(
        "INSERT INTO accounts (organisation_id, person_id, login) VALUES (1, %s, 'asker') RETURNING id",
        *person,
    )
    mark_audit(lab, places)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        pool = AsyncConnectionPool(
            lab.hub_dsn, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}
        )
        runner.run(pool.open())
        media = Files(Path(folder))
        app = create_app(Services(pool=pool, now=lambda: NOW, broker_connected=lambda: True, media=media))
        feed = LiveFeed(lab.hub_dsn, now=lambda: NOW)
        mount(
            app,
            pool=pool,
            feed=feed,
            settings=WebSettings(),
            now=lambda: NOW,
            broker_connected=lambda: True,
        )
        mount_api_page(app, app.state.web.render)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://hub")
        yield World(app, client, runner, lab, places, int(asker[0]))
        runner.run(client.aclose())
        runner.run(pool.close())


def mark_audit(lab: Any, places: dict[str, Place]) -> None:
    """Write one row about each place into the audit log; rows of people are those of their organisation."""
    entries = [
        Entry("rule", "test", "test.marked", f"{place.mark} thing", organisation_id=place.organisation)
        for place in places.values()
    ]

    async def write(connection: Any) -> None:
        async with connection.transaction():
            await append(connection, entries, at=START)

    lab.run(write)
