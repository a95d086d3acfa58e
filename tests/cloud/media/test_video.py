"""Parts of recordings become MP4 that browsers play, or it is said why not."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.store.connection import StoreConnection

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JPEG = b"\xff\xd8\xff" + bytes(500)


class Lab(Protocol):
    hub_dsn: str


def segment(folder: Path, coder: str, ending: str) -> bytes:
    file = folder / f"segment.{ending}"
    source = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=10", "-t", "1", "-pix_fmt", "yuvj420p"]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, "-c:v", coder, str(file)], check=True)
    return file.read_bytes()


def codec(data: bytes) -> str:
    words = ["-select_streams", "v:0", "-show_entries", "stream=codec_name", "-of", "csv=p=0", "-"]
    done = subprocess.run(["ffprobe", "-v", "error", *words], input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


@asynccontextmanager
async def asking(lab: Lab, room: Any) -> AsyncIterator[httpx.AsyncClient]:
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(
        lab.hub_dsn, connection_class=StoreConnection, min_size=1, max_size=3, open=False, kwargs=kwargs
    ) as pool:
        given = Services(pool=pool, now=lambda: NOW, broker_connected=lambda: True, media=room)
        transport = httpx.ASGITransport(create_app(given))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            yield client


@pytest.mark.requirement("G-6.9c1")
def test_segments_play_in_browsers_whatever_the_camera_gave(
    lab: Lab, hub: Any, far: Any, tmp_path: Path
) -> None:
    h264, mjpeg = segment(tmp_path, "libx264", "ts"), segment(tmp_path, "mjpeg", "mkv")

    async def scenario() -> None:
        async with hub() as here, asking(lab, here.room) as client:
            there = far(here)
            for data, kind in (
                (h264, "video/mp2t"),
                (mjpeg, "video/x-matroska"),
                (b"noise" * 50, "video/mp2t"),
            ):
                more = {"kind": "segment", "content_type": kind, "moment": "", "reason": ""}
                assert (await there.put(data, **more))[0] == 201
            assert (await there.put(JPEG))[0] == 201
            there.link.close()
            for data in (h264, mjpeg):
                path = f"/api/media/{hashlib.sha256(data).hexdigest()}"
                assert (await client.get(path)).content == data
                first = await client.get(f"{path}/video")
                assert (first.status_code, first.headers["content-type"]) == (200, "video/mp4")
                assert codec(first.content) == "h264"
                part = await client.get(f"{path}/video", headers={"range": "bytes=0-99"})
                assert (part.status_code, part.content) == (206, first.content[:100])
            broken = await client.get(f"/api/media/{hashlib.sha256(b'noise' * 50).hexdigest()}/video")
            assert (broken.status_code, "no video" in broken.json()["detail"]) == (501, True)
            picture = await client.get(f"/api/media/{hashlib.sha256(JPEG).hexdigest()}/video")
            assert picture.status_code == 422
            assert (await client.get(f"/api/media/{'1' * 64}/video")).status_code == 404

    asyncio.run(scenario())
