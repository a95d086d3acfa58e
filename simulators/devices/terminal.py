"""An access terminal: knows people by face, fingerprint or QR code and posts what it saw.

It posts as real ones do, picture and template beside the number, so that a gateway has something to drop.
Below it is the plain HTTP of a small device: one connection for each post, no retries but those asked for.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from dataclasses import dataclass, field
from typing import Literal

Fault = Literal["", "garbage", "truncated", "slow", "huge", "wrong_key", "replay"]
MODES = {"fingerprint": 1, "face": 15, "qr": 16}
SLOW_S = 0.05


@dataclass(slots=True)
class Terminal:
    """One terminal. `key` is what it was given when it was fitted."""

    name: str
    port: int
    key: str
    seed: int = 1
    path: str = "/events"
    signs: bool = False
    form: bool = False
    """Whether it posts a form with the picture as a part of its own."""
    fault: Fault = ""
    counter: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}/{self.name}")

    async def identify(self, person: str, mode: str, *, granted: bool = True) -> int:
        """Post that somebody was identified, or not; return the status of the answer, 0 for none."""
        info: dict[str, object] = {
            "userId": person,
            "verifyMode": MODES[mode],
            "status": 0 if granted else 5,
            "doorNo": 1,
            "time": "2026-11-21 13:00:00",
            "featureData": self._blob(512),
            "confidence": [round(self._random.random(), 6) for _ in range(128)],
        }
        if not self.form:
            info["snapPicture"] = self._blob(2048)
        return await self.post({"eventType": "verify", "info": info})

    async def heartbeat(self) -> int:
        """Post that it is alive."""
        return await self.post({"eventType": "heartbeat"})

    async def post(self, document: object) -> int:
        """Post a document; return the status of the answer, 0 for none."""
        data, kind = json.dumps(document).encode(), "application/json"
        if self.form:
            data, kind = self._form(data)
        if self.fault == "garbage":
            data = self._random.randbytes(200)
        if self.fault == "huge":
            data = b" " * 8_000_000
        return await self.send(data, kind)

    async def send(self, data: bytes, kind: str) -> int:
        """Send a body of this kind; return the status of the answer, 0 for none."""
        if self.fault != "replay":
            self.counter += 1
        return await self._exchange(self._head(data, kind), data)

    def _head(self, data: bytes, kind: str) -> bytes:
        key = "x" * 32 if self.fault == "wrong_key" else self.key
        lines = [f"POST {self.path} HTTP/1.1", "Host: gateway", f"Content-Type: {kind}"]
        if self.signs:
            text = f"{self.name}\n{self.counter}\n{self.path}\n".encode() + data
            sign = hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
            lines += [f"X-Heng-Sender: {self.name}", f"X-Heng-Counter: {self.counter}"]
            lines.append(f"X-Heng-Signature: {sign}")
        else:
            basic = base64.b64encode(f"{self.name}:{key}".encode()).decode()
            lines.append(f"Authorization: Basic {basic}")
        lines += [f"Content-Length: {len(data)}", "Connection: close", "", ""]
        return "\r\n".join(lines).encode()

    async def _exchange(self, head: bytes, data: bytes) -> int:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0
        try:
            if self.fault == "truncated":
                writer.write(head + data[: len(data) // 2])
                await writer.drain()
                return 0
            step = 64 if self.fault == "slow" else len(head + data)
            for start in range(0, len(head + data), step):
                writer.write((head + data)[start : start + step])
                await writer.drain()
                if self.fault == "slow":
                    await asyncio.sleep(SLOW_S)
            line = await reader.readline()
            return int(line.split()[1]) if line else 0
        except OSError:
            return 0
        finally:
            writer.transport.abort()

    def _form(self, data: bytes) -> tuple[bytes, str]:
        parts = (
            (b'name="picture"; filename="a.jpg"\r\nContent-Type: image/jpeg', self._random.randbytes(2048)),
            (b'name="event_log"\r\nContent-Type: application/json', data),
        )
        body = b"".join(
            b"--MIME_edge\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"
            for head, content in parts
        )
        return body + b"--MIME_edge--\r\n", "multipart/form-data; boundary=MIME_edge"

    def _blob(self, size: int) -> str:
        return base64.b64encode(self._random.randbytes(size)).decode()
