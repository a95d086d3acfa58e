"""Asks the hub over HTTP, as a browser or a program of somebody else would. It can sign in, no more."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

TIMEOUT_S = 30.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and text of one answer."""

    status: int
    text: str

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the hub on 127.0.0.1, signed in or not. `OSError` when nobody answers."""

    port: int
    cookie: str = ""

    async def get(self, path: str) -> Answer:
        """Ask for a path."""
        status, body = await self.get_bytes(path)
        return Answer(status, body.decode(errors="replace"))

    async def get_bytes(self, path: str) -> tuple[int, bytes]:
        """Ask for a file; return status and bytes."""
        status, body, _ = await asyncio.to_thread(_ask, self.port, _Question("GET", path, self._headers()))
        return status, body

    async def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send JSON to a path, as a page of the hub would."""
        head = {
            **self._headers(),
            "Content-Type": "application/json",
            "Origin": f"http://127.0.0.1:{self.port}",
        }
        sent = None if body is None else json.dumps(body).encode()
        status, text, _ = await asyncio.to_thread(_ask, self.port, _Question(method, path, head, sent))
        return Answer(status, text.decode(errors="replace"))

    async def listen(self, path: str, *, seconds: float) -> list[str]:
        """Return the lines that an endless answer brings within some seconds."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = {"Host": f"127.0.0.1:{self.port}", **self._headers()}
        lines: list[str] = []
        try:
            told = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            writer.write(f"GET {path} HTTP/1.1\r\n{told}\r\n".encode())
            async with asyncio.timeout(seconds):
                while line := await reader.readline():
                    lines.append(line.decode(errors="replace").rstrip())
        except TimeoutError:
            pass
        finally:
            writer.close()
        return lines

    async def sign_out(self) -> None:
        """End the session."""
        await asyncio.to_thread(_ask, self.port, _Question("POST", "/sign-out", self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}


async def sign_in(port: int, login: str, password: str) -> Visitor:
    """Return somebody who has signed in; `OSError` when that was refused."""
    form = urlencode({"login": login, "password": password})
    asked = _Question("POST", "/sign-in", _FORM, form.encode())
    status, _, cookie = await asyncio.to_thread(_ask, port, asked)
    if status != 303 or not cookie:
        raise OSError(f"sign-in as {login}: status {status}")
    return Visitor(port, cookie)


async def is_ready(port: int) -> bool:
    """Return whether the hub says that it is ready."""
    try:
        return (await Visitor(port).get("/ready")).status == 200
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Question:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


def _ask(port: int, asked: _Question) -> tuple[int, bytes, str]:
    """Return status, body and the cookie that came with it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request(asked.method, asked.path, body=asked.body, headers=dict(asked.headers))
        response = connection.getresponse()
        return response.status, response.read(), response.getheader("Set-Cookie", "").partition(";")[0]
    except http.client.HTTPException as error:
        raise OSError(f"{asked.path}: {type(error).__name__}: {error}") from None
    finally:
        connection.close()
