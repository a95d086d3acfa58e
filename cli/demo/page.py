"""The demo's own page: a button for each scenario, and what is seen while it is played.

It is served by `heng demo` on 127.0.0.1 alone, to pages of its own alone, and plays one scenario at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from cli.demo.running import NotRunningError, find
from cli.demo.stories.scenes import SCENES, play
from cli.demo.stories.teller import NotSeenError

HEAD_MAX = 16 * 1024
REQUEST_S = 5.0
LINES_MAX = 200
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "ul{list-style:none;padding:0}li{margin:.5rem 0}button{font:inherit;padding:.3rem .8rem;min-width:11rem}"
    "form{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}button{max-width:100%}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f3f3f3;padding:1rem}"
    "p,form,h2{overflow-wrap:anywhere}*{box-sizing:border-box}@media(max-width:30rem){body{margin:1rem auto}}"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Connection": "close",
}


@dataclass(slots=True)
class Stage:
    """What is played now, and what was seen of it."""

    folder: Path
    address: str
    """Of the hub's pages."""
    name: str = ""
    lines: list[str] = field(default_factory=list)
    running: bool = False
    ended: str = ""

    async def play(self, name: str) -> None:
        """Play a scenario; what went wrong is the last line."""
        self.name, self.running, self.ended = name, True, ""
        self.lines.clear()
        try:
            await play(name, find(self.folder), self._say)
        except (NotSeenError, NotRunningError) as error:
            self.ended = f"not as expected 与预期不符: {error}"
        else:
            self.ended = "everything was seen as expected 一切如预期"
        finally:
            self.running = False

    def _say(self, line: str) -> None:
        self.lines = [*self.lines, line][-LINES_MAX:]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as it is looked at."""

    method: str
    path: str
    headers: Mapping[str, str]


def answer(stage: Stage, asked: Asked, port: int) -> tuple[int, str, str]:
    """Return status, type and text; 303 for a scenario that is to be played, with its name as text."""
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if asked.headers.get("host") not in hosts:
        return 403, "text/plain", "another host\n"
    if asked.method == "GET" and asked.path == "/style.css":
        return 200, "text/css", _STYLE
    if asked.method == "GET" and asked.path == "/":
        return 200, "text/html", page(stage)
    name = asked.path.removeprefix("/play/")
    if asked.method != "POST" or name not in SCENES:
        return 404, "text/plain", "nothing here\n"
    if asked.headers.get("origin") not in {f"http://{host}" for host in hosts}:
        return 403, "text/plain", "sent by another page\n"
    if stage.running:
        return 409, "text/plain", f"{stage.name} is still played\n"
    return 303, "text/plain", name


def page(stage: Stage) -> str:
    """Return the page; it comes again every two seconds while something is played."""
    again = '<meta http-equiv="refresh" content="2">' if stage.running else ""
    off = " disabled" if stage.running else ""
    rows = "".join(
        f'<li><form method="post" action="/play/{name}"><button{off}>{name}</button> '
        f"{escape(scene.title)} <span lang=zh>{escape(scene.chinese)}</span></form></li>"
        for name, scene in SCENES.items()
    )
    seen = escape("\n".join(stage.lines))
    word = "is played 正在进行" if stage.running else escape(stage.ended)
    played = f"<h2>{stage.name}</h2><p role=status>{word}</p><pre>{seen}</pre>" if stage.name else ""
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8>{again}<title>Heng demo</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f'<link rel=stylesheet href="/style.css"><h1>Heng demo 衡演示</h1>'
        f'<p><a href="{escape(stage.address)}">Pages of the hub 中心页面</a></p>'
        f"<ul>{rows}</ul>{played}</html>"
    )


@asynccontextmanager
async def demo_page(folder: Path, address: str, port: int = 0) -> AsyncIterator[int]:
    """Serve the page while the context is open, on a free port when it is 0; gives the port."""
    stage = Stage(folder, address)
    async with asyncio.TaskGroup() as tasks:
        playing: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                asked = await _read(reader)
                if asked is None:
                    return
                status, kind, text = answer(stage, asked, at)
                if status == 303:
                    playing.add(tasks.create_task(stage.play(text)))
                    stage.name, stage.running = text, True
                writer.write(_written(status, kind, text))
                await writer.drain()
            except OSError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", port, limit=HEAD_MAX)
        at = int(server.sockets[0].getsockname()[1])
        try:
            yield at
        finally:
            server.close()
            for one in playing:
                one.cancel()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """Return what was asked; None for what is no request that we know."""
    try:
        async with asyncio.timeout(REQUEST_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *rest = head.split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        return None
    pairs = (line.partition(":") for line in rest if ":" in line)
    return Asked(words[0], words[1], {name.strip().lower(): value.strip() for name, _, value in pairs})


def _written(status: int, kind: str, text: str) -> bytes:
    words = {200: "OK", 303: "See Other", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
    body = b"" if status == 303 else text.encode()
    head = {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
    head |= {"Location": "/"} if status == 303 else {}
    lines = [f"HTTP/1.1 {status} {words[status]}", *(f"{name}: {value}" for name, value in head.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
