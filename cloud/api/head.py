"""HEAD wherever there is GET: the same head, no body.

A stream has a head and no end: it is let go of as soon as its body begins.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """ASGI middleware: asks what is behind it with GET and drops the body of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` answers GET."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises what `app` raises."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(None) as patience:
                head = _Head(send, enough=lambda: patience.reschedule(0))
                await self._app({**scope, "method": "GET"}, receive, head.send)
        except TimeoutError:
            if not patience.expired():
                raise


class _Head:
    """Passes the head of an answer on, and an empty body."""

    def __init__(self, send: Send, *, enough: Callable[[], None]) -> None:
        """`enough` is called when the answer comes in parts."""
        self._send = send
        self._enough = enough
        self._ended = False

    async def send(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        if not self._ended:
            self._ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        if message.get("more_body"):
            self._enough()
