"""Commands and revocations of `heng bench control`: hub, broker, database and one gateway on this machine.

A command counts from when it was asked for to its receipt `executed` at the hub; a revocation from the
request to the hub's knowledge that the gateway decides by it, so with the way back. The hub's clock tells.
"""

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.edge import gateway_process
from benchmarks.provision import Server, StartBroker, StartServer, StepError, heng, running_hub
from benchmarks.revoked import HubHttp
from provisioning.ca import CertificateAuthority

GATEWAY, OUTPUT, PERSON = "lab-1", "doors/lamp", "2001"
PATIENCE_S, LOOK_S = 90.0, 0.02
_FIRST_TRIES = 20
_SITE = f"""
organisation = "Bench"

[[site]]
name = "bench"
title = "Bench"
kind = "laboratory"
time_zone = "UTC"

[[site.zone]]
name = "room"
title = "Room"

[[site.portal]]
name = "entrance"
title = "Entrance"
from = "outside"
to = "room"

[[gateway]]
name = "{GATEWAY}"
site = "bench"
"""


class Hub:
    """A hub without accounts, asked over HTTP. It blocks."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Return what the hub answers; `StepError` for anything but success."""
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            sent = None if body is None else json.dumps(body)
            line.request(method, path, sent, {"Content-Type": "application/json"})
            answer = line.getresponse()
            text = answer.read()
        finally:
            line.close()
        if answer.status >= 300:
            raise StepError(f"{method} {path}: status {answer.status}: {text.decode(errors='replace')[:500]}")
        return json.loads(text) if text else None


class Place:
    """A hub with one gateway that is online and knows a person with cards."""

    def __init__(self, hub: Hub, dsn: str, cards: list[int]) -> None:
        self.hub = hub
        self.dsn = dsn
        self.cards = cards


async def measure(
    folder: Path,
    start_server: StartServer,
    start_broker: StartBroker,
    *,
    gateway: Callable[[int, CertificateAuthority], AbstractAsyncContextManager[Any]],
    number: int,
) -> tuple[list[float], list[float]]:
    """Return milliseconds of revocations and of commands; `gateway` runs devices and writes its settings."""
    now = datetime.now(UTC)
    authority = CertificateAuthority.create(folder / "ca", now=now)
    identity = authority.issue_hub("hub", now=now)
    async with (
        start_server(folder / "postgres") as server,
        start_broker(folder / "broker", authority) as broker,
        running_hub(folder, server, broker, identity=identity) as asked,
        gateway(broker.gateway_port, authority) as site,
        _place(folder, server, asked, number=number, site=site) as place,
    ):
        await _begin(place)
        commands = [await _command(place, turn) for turn in range(number)]
        revocations = [await _revocation(place, card) for card in place.cards]
    return revocations, commands


@asynccontextmanager
async def _place(
    folder: Path, server: Server, asked: HubHttp, *, number: int, site: Any
) -> AsyncIterator[Place]:
    file = folder / "bench.toml"
    await asyncio.to_thread(file.write_text, _SITE)
    await heng("site", "apply", str(file), "--database-url", server.owner_dsn)
    hub = Hub(asked.port)
    cards = await asyncio.to_thread(_enter, hub, number)
    key = await _key(server.owner_dsn)
    await asyncio.to_thread(_lay, key, site.settings.parent / "data")
    environment = dict(site.environment)
    async with gateway_process(site.settings, folder / "gateway.log", environment=environment):
        await _until(lambda: _knows(hub), "the gateway does not decide by the rights")
        yield Place(hub, server.owner_dsn, cards)


def _enter(hub: Hub, number: int) -> list[int]:
    site = hub.ask("GET", "/api/sites?limit=10")["items"][0]["id"]
    person = hub.ask("POST", "/api/people", {"organisation_id": 1, "number": PERSON, "name": "Bench"})["id"]
    right = {"people": [PERSON], "zones": ["room"]}
    hub.ask("PUT", f"/api/sites/{site}/access/right/all", {"body": right})
    made = []
    for place in range(number):
        card = {"format": "h10301", "facility": "7", "number": str(10_000 + place)}
        made.append(hub.ask("POST", f"/api/access/people/{person}/cards", card)["id"])
    return made


async def _key(dsn: str) -> bytes:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("SELECT key FROM credential_keys")
        row = await cursor.fetchone()
    if row is None:
        raise StepError("the hub has no key of cards")
    return bytes(row[0])


def _lay(key: bytes, data: Path) -> None:
    data.mkdir(exist_ok=True)
    (data / "credential.key").touch(mode=0o600)
    (data / "credential.key").write_bytes(key)


def _knows(hub: Hub) -> bool:
    found = [one for one in hub.ask("GET", "/api/access/gateways") if one["gateway"] == GATEWAY]
    return bool(found) and found[0]["up_to_date"]


async def _begin(place: Place) -> None:
    """Ask until something is executed: what was asked before a new gateway's book began is refused."""
    for _ in range(_FIRST_TRIES):
        try:
            await _command(place, 1)
        except StepError:
            await asyncio.sleep(1)
        else:
            return
    raise StepError(f"no command was executed in {_FIRST_TRIES} tries")


async def _command(place: Place, turn: int) -> float:
    body = {"name": "output.set", "arguments": {"output": OUTPUT, "value": str(1 - turn % 2)}}
    asked = await asyncio.to_thread(place.hub.ask, "POST", f"/api/gateways/{GATEWAY}/commands", body)
    path = f"/api/commands/{asked['command']['id']}"
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        told = await asyncio.to_thread(place.hub.ask, "GET", path)
        if told["state"] not in ("sent", "accepted"):
            break
        await asyncio.sleep(LOOK_S)
    if told["state"] != "executed":
        raise StepError(f"a command ended as {told['state']}: {told['receipts']}")
    done = min(_at(one["received_at"]) for one in told["receipts"] if one["state"] == "executed")
    return (done - _at(asked["command"]["asked_at"])) * 1000


async def _revocation(place: Place, card: int) -> float:
    begun = time.time()
    body = {"state": "lost", "why": "bench"}
    await asyncio.to_thread(place.hub.ask, "PUT", f"/api/access/credentials/{card}/state", body)
    ends = time.monotonic() + PATIENCE_S
    async with await psycopg.AsyncConnection.connect(place.dsn, autocommit=True) as connection:
        while time.monotonic() < ends:
            cursor = await connection.execute(
                "SELECT honoured_at FROM rights_issued WHERE kind = 'revocation' AND issued_at >= %s "
                "ORDER BY incarnation, number LIMIT 1",
                (datetime.fromtimestamp(begun - 0.005, UTC),),
            )
            row = await cursor.fetchone()
            if row is not None and row[0] is not None:
                honoured: datetime = row[0]
                return (honoured.timestamp() - begun) * 1000
            await asyncio.sleep(LOOK_S)
    raise StepError("a revocation was not honoured")


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _until(holds: Callable[[], bool], otherwise: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(holds):
        if time.monotonic() > ends:
            raise StepError(otherwise)
        await asyncio.sleep(0.2)
