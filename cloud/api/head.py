"""HEAD wherever there is GET: the same head, no body.

A stream has a head and no end: it is let go of as soon as its body begins.
"""

import asyncio
import contextlib

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
        head = _Head(send)
        answering = asyncio.ensure_future(self._app({**scope, "method": "GET"}, receive, head.send))
        endless = asyncio.ensure_future(head.more.wait())
        try:
            await asyncio.wait({answering, endless}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            for task in (answering, endless):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


class _Head:
    """Passes the head of an answer on, and an empty body."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ended = False
        self.more = asyncio.Event()
        """Set when the answer comes in parts."""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            if not self._ended:
                self._ended = True
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            if message.get("more_body"):
                self.more.set()
            return
        await self._send(message)
