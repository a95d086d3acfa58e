"""Has things happen around a running demo and looks, as people would, at what the hub says of them.

What is expected and not seen in time ends a story with `NotSeenError`. Nothing here decides what is right.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from cli.demo.asking import Happened, Stretch, at_of
from cli.demo.running import Found, find
from cli.demo.web import Answer, Visitor

LOOK_S = 0.3
ANSWER_S = 5.0
COMMAND_S = 10.0
REFUSED = 409
SECOND = "admin"
"""Who approves what takes two."""
LISTED = "1000"


class NotSeenError(Exception):
    """Something that was expected was not seen; the text says what, and what was seen instead."""


def said_of(answer: Answer) -> str:
    """Return what the hub said when it did not do something: its sentence, and the words of each fault."""
    status = f"the hub answered {answer.status}"
    try:
        told = json.loads(answer.text)
    except ValueError:
        return status
    if not isinstance(told, dict) or not told.get("detail"):
        return status
    faults = [f"{one['field']} {one['value']}".strip() for one in told.get("errors", ()) if one.get("value")]
    sentence = str(told["detail"]).rstrip(".")
    more = [one for one in faults if one not in sentence]
    return f"{status}: {sentence}" + (f" ({'; '.join(more)})" if more else "")


Look = Callable[[], Awaitable[str | None]]
"""What is to be told of what was looked for; None: it is not there yet."""


@dataclass(slots=True)
class Teller:
    """Who tells a story."""

    demo: Found
    users: Mapping[str, Visitor]
    """By login, signed in."""
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)

    def tell(self, text: str) -> None:
        """Say what happens, with the seconds since the story began."""
        self.say(f"{time.monotonic() - self.began:6.1f} s  {text}")

    async def see(self, what: str, look: Look, *, within_s: float = 15.0) -> str:
        """Wait until something is seen, and tell it; `NotSeenError` when it is not in time."""
        end, seen = time.monotonic() + within_s, None
        reason = "nothing"
        while seen is None and time.monotonic() < end:
            try:
                seen = await look()
            except OSError as error:
                reason = str(error)
            if seen is None:
                await asyncio.sleep(LOOK_S)
        if seen is None:
            raise NotSeenError(f"{what}: not seen within {within_s:g} s ({reason})")
        self.tell(f"{what}: {seen}" if seen else what)
        return seen

    # --- the simulated world ------------------------------------------------------------------------------

    async def do(self, place: str, what: str) -> Mapping[str, Any]:
        """Have somebody or something do something; `NotSeenError` when it cannot be done."""
        return await self._have({"device": place, "do": what})

    async def switch(self, place: str, fault: str, *, unit: int | None = None) -> None:
        """Switch a fault on, or off with the empty word."""
        wish: dict[str, object] = {"device": place, "fault": fault}
        await self._have(wish if unit is None else wish | {"unit": unit})

    async def _have(self, wish: Mapping[str, object]) -> Mapping[str, Any]:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.demo.control)
            try:
                writer.write(json.dumps(wish).encode() + b"\n")
                told: Mapping[str, Any] = json.loads(await reader.readline())
            finally:
                writer.close()
        if not told["ok"]:
            raise NotSeenError(f"simulated devices: {told['error']}")
        return told

    def kill(self, part: str) -> int:
        """End a process of the demo by SIGKILL; the demo starts it again. Returns its process id."""
        pid = find(self.demo.folder).parts[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def until_new(self, part: str, old: int) -> None:
        """Wait until the demo has started a part again."""

        async def look() -> str | None:
            pid = find(self.demo.folder).parts.get(part, old)
            return None if pid == old else f"process {pid}"

        await self.see(f"the demo starts the {part} again", look, within_s=60)

    # --- the hub ------------------------------------------------------------------------------------------

    def user(self, login: str = "admin") -> Visitor:
        """Return somebody who is signed in."""
        return self.users[login]

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, by: str = "admin") -> Any:
        """Return an answer of the API; `OSError` for any other status than 200."""
        answer = await self.user(by).get(f"{path}?{urlencode(query)}" if query else path)
        if answer.status != 200:
            raise OSError(f"{path}: {said_of(answer)}")
        return answer.json()

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the items of a list."""
        found: list[dict[str, Any]] = (await self.get(path, {"limit": LISTED, **(query or {})}))["items"]
        return found

    async def send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, by: str = "admin"
    ) -> Any:
        """Have something done; `NotSeenError` says what the hub answers when it is not."""
        answer = await self.user(by).send(method, path, body)
        if answer.status >= 300:
            raise NotSeenError(f"{method} {path}: {said_of(answer)}")
        return answer.json() if answer.text else None

    async def command(self, gateway: str, name: str, *, by: str, **arguments: object) -> str:
        """Ask a gateway for something and wait for its receipt; return how it ended."""
        body = {"name": name, "arguments": arguments}
        asked = await self.send("POST", f"/api/gateways/{gateway}/commands", body, by=by)
        path = f"/api/commands/{asked['command']['id']}"

        async def look() -> str | None:
            told = await self.get(path, by=by)
            return None if told["state"] in ("sent", "accepted") else str(told["state"])

        ended = await self.see(f"{by} asks {gateway} for {name}", look, within_s=COMMAND_S)
        if ended == "waiting":
            await self.send("POST", f"{path}/approval", by=SECOND)
            ended = await self.see(f"{SECOND} approves it as the second person", look, within_s=COMMAND_S)
        return ended

    async def refused(self, gateway: str, name: str, *, by: str, **arguments: object) -> None:
        """Ask a gateway for what it has to refuse, and tell why; `NotSeenError` when it does not."""
        body = {"name": name, "arguments": arguments}
        answer = await self.user(by).send("POST", f"/api/gateways/{gateway}/commands", body)
        if answer.status != REFUSED:
            raise NotSeenError(f"{name} at {gateway}: status {answer.status}: expected a refusal")
        self.tell(f"{by} asks {gateway} for {name}, which is refused: {answer.json()['detail']}")

    async def status(self, gateway: str) -> Mapping[str, Any]:
        """Return what a gateway controls, as it says."""
        found: Mapping[str, Any] = await self.get(f"/api/gateways/{gateway}/control")
        return found

    async def interlock(self, gateway: str, name: str) -> Mapping[str, Any]:
        """Return an interlock as it stands; `OSError` while it is not known."""
        told = await self.status(gateway)
        if not told["known"]:
            raise OSError(f"{gateway}: not heard, so nobody knows")
        for one in told["status"]["interlocks"]:
            if one["name"] == name:
                return dict(one)
        raise OSError(f"{gateway}: no interlock {name}")

    async def events(self, gateway: str, kinds: Sequence[str], since: float) -> list[Happened]:
        """Return what a gateway told since a moment (UTC seconds), the oldest first."""
        stretch = Stretch(since, time.time() + 1)
        rows = await self.items("/api/events", {"gateway": gateway, **stretch.query})
        found = [Happened(row["kind"], row["subject"], at_of(row), row["data"]) for row in rows]
        return sorted((one for one in found if one.kind in kinds), key=lambda one: one.at)
