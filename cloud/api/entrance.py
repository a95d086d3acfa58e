"""What every request passes before its route is looked for, and what every answer carries.

Refused here: a name that is not this hub's while nobody is asked to sign in (a page of another site could
have its own name lead to this machine), an address that climbs (`..`) or hides characters, a body that does
not end. What is refused here, or is too large, is written down. Routes have limits of their own besides.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloud.api.errors import ApiError
from cloud.api.guard import Guard
from cloud.api.headers import dress
from cloud.settings import is_loopback

_TOLD = {408: "the body came too slowly", 413: "the body is too large"}
"""Answers of routes that are written down, by status."""
_HIDDEN = frozenset(chr(code) for code in (*range(32), 127)) | {"\\"}


@dataclass(frozen=True, slots=True)
class EntranceLimits:
    """What an entrance lets in."""

    hosts: frozenset[str] | None = None
    """Names of this hub besides those of this machine; None: any name is good."""
    body_s: float = 65.0
    """So long a body may take as a whole; routes with forms ask for less."""


class Entrance:
    """ASGI middleware: refuses, and dresses answers."""

    def __init__(self, app: ASGIApp, guard: Guard, limits: EntranceLimits) -> None:
        """`guard` knows whether sign-in is required, and writes down what is refused."""
        self._app = app
        self._guard = guard
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises what `app` raises."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = _Answer(send, scope["path"])
        fault = await self._fault(request)
        if fault is not None:
            await self._guard.turn_away(request, fault.detail)
            await fault.response(request.url.path)(scope, receive, answer.send)
            return
        patience = _Patience(receive, answer, self._limits.body_s)
        try:
            await self._app(scope, patience.receive, answer.send)
        finally:  # who bounds sizes for the framework stands further out, and ends the answer by an exception
            if answer.status in _TOLD:
                await self._guard.turn_away(request, _TOLD[answer.status])

    async def _fault(self, request: Request) -> ApiError | None:
        path = request.scope["path"]
        hides = _HIDDEN.intersection(path) or b"%00" in request.scope["query_string"]
        if ".." in path.split("/") or (hides and not path.startswith("/api/")):  # routes there name the field
            return ApiError(400, "Bad address", "The address climbs or holds hidden characters.")
        if self._is_ours(request.headers.get("host", "")):
            return None
        try:
            required = await self._guard.required()
        except psycopg.OperationalError:
            return None  # without its database the hub has nothing to tell
        detail = "Unknown name: while the hub has no accounts it answers to names of this machine alone."
        return None if required else ApiError(421, "Unknown name", detail)

    def _is_ours(self, host: str) -> bool:
        if self._limits.hosts is None:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._limits.hosts


class _Answer:
    """One answer on its way out, with the headers that every answer has."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self.status = 0
        """0 until it begins."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            dress(MutableHeaders(scope=message), self._path)
        await self._send(message)


class _Patience:
    """Gives a body so long; afterwards waiting, for the far end to go away, is without end."""

    def __init__(self, receive: Receive, answer: _Answer, body_s: float) -> None:
        self._receive = receive
        self._answer = answer
        self._until = asyncio.get_running_loop().time() + body_s
        self._whole = False

    async def receive(self) -> Message:
        """Return the next part; raises 408, or says that the far end is gone when the answer has begun."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            if self._answer.status:
                return {"type": "http.disconnect"}
            raise HTTPException(408, "The body came too slowly.") from None
        self._whole = not message.get("more_body", False)
        return message
