"""A network camera: a test pattern as H.264 over RTSP, or as MJPEG over HTTP.

Frames are drawn here and encoded by ffmpeg. Each shows the time when it was drawn, as 40 black and
white fields, so that a picture says of itself how old it is. Sources: RFC 2326 (RTSP), RFC 6184 (H.264).
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from simulators.processes import daemon_piped, find_program

Fault = Literal["", "silence", "garbage", "slow", "reset", "gone", "freeze"]
Kind = Literal["rtsp", "mjpeg"]
WIDTH, HEIGHT = 320, 180
FIELD = 8
BITS = 40
"""Milliseconds since 1970 modulo 2**40 in the top row, highest bit first."""
SLOW_S = 5.0
FPS = 10
BOUNDARY = b"heng-simulators"
_QUEUE = 200


def draw(now_ms: int) -> bytes:
    """Return a grey frame (WIDTH x HEIGHT bytes) that shows a time and a bar that moves with it."""
    bits = [(now_ms >> (BITS - 1 - bit)) & 1 for bit in range(BITS)]
    top = b"".join((b"\xe8" if bit else b"\x18") * FIELD for bit in bits)
    bar = now_ms // 20 % (WIDTH - 40)
    row = b"\x50" * bar + b"\xc0" * 40 + b"\x50" * (WIDTH - 40 - bar)
    return top * FIELD + row * (HEIGHT - FIELD)


def shown_ms(grey: bytes) -> int:
    """Return the time that a decoded grey frame shows."""
    middle = grey[WIDTH * (FIELD // 2) :]
    value = 0
    for bit in range(BITS):
        value = value << 1 | (middle[bit * FIELD + FIELD // 2] > 0x80)
    return value


@dataclass(slots=True)
class Camera:
    """The truth about one camera. `fault` may be switched at any time."""

    kind: Kind = "rtsp"
    user: str = ""
    password: str = ""
    now_s: Callable[[], float] = field(default=lambda: 0.0)
    ahead_s: float = 0.0
    """How far the camera's own clock is ahead."""
    fault: Fault = ""
    requests: list[str] = field(default_factory=list)
    _frozen_ms: int = 0
    _players: set["_Player"] = field(default_factory=set)

    def frame(self) -> bytes:
        """Return the frame of now; a frozen camera goes on with the one that it froze at."""
        if self.fault != "freeze" or not self._frozen_ms:
            self._frozen_ms = int(self.now_s() * 1000)
        return draw(self._frozen_ms)

    def hand_out(self, data: bytes) -> None:
        """Send one packet or picture to everybody who watches."""
        if self.fault in ("silence", "garbage"):
            return
        for player in list(self._players):
            if self.fault in ("reset", "gone"):
                player.writer.transport.abort()
            elif player.writer.transport.get_write_buffer_size() < 1_000_000:
                player.writer.write(player.wrap(data))

    def close(self) -> None:
        """Break every connection."""
        for player in self._players:
            player.writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        player = _Player(self, writer)
        self._players.add(player)
        player.playing = False
        try:
            while self.fault not in ("reset", "gone") and (head := await _request(reader)):
                await self._answer(head, player)
        except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            self._players.discard(player)
            writer.transport.abort()

    async def _answer(self, head: list[str], player: "_Player") -> None:
        self.requests.append(head[0])
        if self.fault == "silence":
            return
        if self.fault == "slow":
            await asyncio.sleep(SLOW_S)
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in head[1:])}
        method = head[0].split(" ")[0]
        if self.fault == "garbage":
            answer = b"\x00\xff nothing that anybody knows\r\n\r\n"
        elif method != "OPTIONS" and not self._may(headers.get("authorization", "")):
            answer = self._reply(headers, "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"')
        elif self.kind == "mjpeg":
            answer = self._http(method, headers, player)
        else:
            answer = self._rtsp(method, headers, player)
        player.writer.write(answer)
        await player.writer.drain()

    def _may(self, authorization: str) -> bool:
        if not self.user:
            return True
        wanted = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return authorization == f"Basic {wanted}"

    def _http(self, method: str, headers: dict[str, str], player: "_Player") -> bytes:
        kind = f"Content-Type: multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        player.playing = method == "GET"
        return self._reply(headers, "200 OK", kind, "Cache-Control: no-store")

    def _rtsp(self, method: str, headers: dict[str, str], player: "_Player") -> bytes:
        if method == "DESCRIBE":
            return self._reply(headers, "200 OK", "Content-Type: application/sdp", body=_sdp())
        if method == "SETUP":
            if "TCP" not in headers.get("transport", ""):
                return self._reply(headers, "461 Unsupported Transport")
            transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
            return self._reply(headers, "200 OK", transport, "Session: 1;timeout=60")
        if method == "PLAY":
            player.playing = True
        public = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
        return self._reply(headers, "200 OK", public, "Session: 1;timeout=60")

    def _reply(self, headers: dict[str, str], status: str, *lines: str, body: bytes = b"") -> bytes:
        date = f"Date: {formatdate(self.now_s() + self.ahead_s, usegmt=True)}"
        protocol = "HTTP/1.1" if self.kind == "mjpeg" else "RTSP/1.0"
        first = [f"{protocol} {status}", date, *lines]
        if self.kind == "rtsp":
            first.append(f"CSeq: {headers.get('cseq', '0')}")
            first.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*first, "", ""]).encode("ascii") + body


class _Player:
    """One connection; it gets packets once it asked to play."""

    def __init__(self, camera: Camera, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.playing = False
        self._kind = camera.kind

    def wrap(self, data: bytes) -> bytes:
        """Return a packet as it goes into this connection; nothing before PLAY."""
        if not self.playing:
            return b""
        if self._kind == "rtsp":
            return b"$\x00" + len(data).to_bytes(2, "big") + data
        head = f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        return b"--" + BOUNDARY + b"\r\n" + head.encode("ascii") + data + b"\r\n"


async def _request(reader: asyncio.StreamReader) -> list[str]:
    """Return the lines of the next request; what comes interleaved (RTCP) is skipped. Empty at the end."""
    while (first := await reader.read(1)) == b"$":
        length = int.from_bytes((await reader.readexactly(3))[1:], "big")
        await reader.readexactly(length)
    if not first:
        return []
    text = first + await reader.readuntil(b"\r\n\r\n")
    return text.decode("ascii", "replace").rstrip().split("\r\n")


def _sdp() -> bytes:
    lines = (
        *("v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=Heng simulators", "c=IN IP4 0.0.0.0", "t=0 0"),
        *("m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", "a=fmtp:96 packetization-mode=1"),
        *("a=control:track0", ""),
    )
    return "\r\n".join(lines).encode("ascii")


class _Packets(asyncio.DatagramProtocol):
    """RTP packets from ffmpeg, straight to whoever watches."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Hand a packet on."""
        self._camera.hand_out(data)


@asynccontextmanager
async def camera_server(camera: Camera, *, folder: Path, port: int = 0) -> AsyncIterator[int]:
    """Serve a camera on 127.0.0.1 while the context is open; gives the port. `DaemonError` without ffmpeg."""
    loop = asyncio.get_running_loop()
    packets, _ = await loop.create_datagram_endpoint(lambda: _Packets(camera), local_addr=("127.0.0.1", 0))
    server = await asyncio.start_server(camera.serve, "127.0.0.1", port)
    rtp_port = packets.get_extra_info("sockname")[1]
    command = [find_program("ffmpeg"), *_encoder(camera.kind, rtp_port)]
    try:
        async with (
            daemon_piped(command, log=folder / "camera-encoder.log") as process,
            asyncio.TaskGroup() as tasks,
        ):
            drawing = tasks.create_task(_feed(camera, process))
            sending = tasks.create_task(_pictures(camera, process))
            try:
                yield server.sockets[0].getsockname()[1]
            finally:
                drawing.cancel()
                sending.cancel()
    finally:
        packets.close()
        server.close()
        camera.close()
        await server.wait_closed()


def _encoder(kind: Kind, rtp_port: int) -> list[str]:
    size = f"{WIDTH}x{HEIGHT}"
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-r", str(FPS), "-i", "pipe:0"]
    common = ["-hide_banner", "-loglevel", "error", "-fflags", "nobuffer", "-probesize", "32", *source]
    if kind == "mjpeg":
        return [*common, "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mjpeg", "pipe:1"]
    coder = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]
    keys = ["-g", str(FPS), "-keyint_min", str(FPS), "-bsf:v", "dump_extra=freq=keyframe"]
    target = f"rtp://127.0.0.1:{rtp_port}?pkt_size=1400"
    return [*common, *coder, *keys, "-f", "rtp", "-payload_type", "96", target]


async def _feed(camera: Camera, process: asyncio.subprocess.Process) -> None:
    """Draw FPS frames a second, without falling behind."""
    assert process.stdin is not None
    loop = asyncio.get_running_loop()
    due = loop.time()
    with contextlib.suppress(ConnectionError):
        while True:
            process.stdin.write(camera.frame())
            await process.stdin.drain()
            due = max(due + 1 / FPS, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))


async def _pictures(camera: Camera, process: asyncio.subprocess.Process) -> None:
    """Hand out each JPEG that the encoder writes."""
    assert process.stdout is not None
    rest = b""
    while data := await process.stdout.read(65_536):
        *whole, rest = (rest + data).split(b"\xff\xd9")
        for picture in whole:
            camera.hand_out(picture + b"\xff\xd9")
