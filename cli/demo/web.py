"""Asks the hub over HTTP, as a browser or a program of somebody else would. It knows no page."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and text of one answer."""

    status: int
    text: str

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.text)


async def get(port: int, path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask 127.0.0.1 for a path; `OSError` when nobody answers."""
    return await asyncio.to_thread(_get, port, path, dict(headers or {}))


async def get_bytes(port: int, path: str) -> tuple[int, bytes]:
    """Ask 127.0.0.1 for a file; return status and bytes. `OSError` when nobody answers."""
    return await asyncio.to_thread(_ask, port, path, {})


async def is_ready(port: int) -> bool:
    """Return whether the hub says that it is ready."""
    try:
        return (await get(port, "/ready")).status == 200
    except OSError:
        return False


async def listen(port: int, path: str, *, seconds: float) -> list[str]:
    """Return the lines that an endless answer brings within some seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines: list[str] = []
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        async with asyncio.timeout(seconds):
            while line := await reader.readline():
                lines.append(line.decode(errors="replace").rstrip())
    except TimeoutError:
        pass
    finally:
        writer.close()
    return lines


def _get(port: int, path: str, headers: dict[str, str]) -> Answer:
    status, body = _ask(port, path, headers)
    return Answer(status, body.decode(errors="replace"))


def _ask(port: int, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {type(error).__name__}: {error}") from None
    finally:
        connection.close()
