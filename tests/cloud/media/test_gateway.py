"""A gateway's media channel against the real hub: pictures, recordings and live views, and what breaks."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from edge.media.channel import MediaChannel, MediaGiven
from edge.media.source import Outgoing
from edge.supervisor import Backoff
from provisioning.identity import GatewayIdentity
from wire.media import Description
from wire.settings.media import MediaSection

pytestmark = pytest.mark.slow
CAMERA = "weighing/camera"
BEGIN_MS = 1_772_366_400_000


class Lab(Protocol):
    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]: ...


class Source:
    """A camera that has files and frames; implements `edge.media.source.MediaSource`."""

    def __init__(self, folder: Path, camera: str = CAMERA) -> None:
        self.folder = folder
        self.name = "cam"
        self.camera = camera
        self.waiting: list[Outgoing] = []
        self.segments: list[Outgoing] = []
        self.busy = False
        self.frames = 0
        self.looking = 0
        self.asked: list[tuple[int, int]] = []

    def take(self, data: bytes, *, sha256: str = "") -> None:
        digest = sha256 or hashlib.sha256(data).hexdigest()
        file = self.folder / f"{len(self.waiting)}-{digest[:8]}.jpg"
        file.write_bytes(data)
        description = Description(
            camera=self.camera,
            device="cam",
            kind="picture",
            content_type="image/jpeg",
            bytes=len(data),
            tick=1,
            from_ms=BEGIN_MS,
            moment="timer",
        )
        self.waiting.append(Outgoing(file, description, digest))

    def record(self, data: bytes, *, after_s: int) -> Path:
        file = self.folder / f"{after_s}.ts"
        file.write_bytes(data)
        start = BEGIN_MS + after_s * 1000
        description = Description(
            camera=self.camera,
            device="cam",
            kind="segment",
            content_type="video/mp2t",
            bytes=len(data),
            tick=1,
            from_ms=start,
            to_ms=start + 10_000,
        )
        self.segments.append(Outgoing(file, description, ""))
        return file

    def pictures(self, most: int, *, but: Collection[str] = ()) -> Sequence[Outgoing]:
        return [one for one in self.waiting if one.sha256 not in but][:most]

    def sent(self, picture: Outgoing) -> None:
        self.waiting.remove(picture)
        picture.file.unlink()

    def recorded(self, from_ms: int, to_ms: int) -> Sequence[Outgoing]:
        self.asked.append((from_ms, to_ms))
        return [
            one
            for one in self.segments
            if (one.description.from_ms or 0) < to_ms and (one.description.to_ms or 0) > from_ms
        ]

    def recording_until(self, to_ms: int) -> bool:
        return self.busy

    async def live(self, show: Callable[[bytes], None]) -> None:
        self.looking += 1
        try:
            while True:
                self.frames += 1
                show(b"\xff\xd8\xff%d\xff\xd9" % self.frames)
                await asyncio.sleep(0.02)
        finally:
            self.looking -= 1


class Gateway:
    """A media channel at work."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.told: list[tuple[str, dict[str, Any], str]] = []

    def tell(self, kind: str, data: dict[str, Any], *, subject: str = "") -> None:
        self.told.append((kind, data, subject))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for told, data, _ in self.told if told == kind]


@asynccontextmanager
async def working(url: str, identity: GatewayIdentity, source: Source, **more: Any) -> AsyncIterator[Gateway]:
    gateway = Gateway(source)
    given = MediaGiven(
        settings=MediaSection(url=url, retry_s=0.1, retry_max_s=1.0, **more),
        identity=identity,
        drivers=lambda: [source],  # type: ignore[list-item]
        tell=gateway.tell,
        now=time.monotonic,
        judge_dates=lambda: True,
        backoff=lambda first, most: Backoff(first, most, random=lambda: 1.0),
    )
    running = asyncio.create_task(MediaChannel(given).run())
    try:
        yield gateway
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


async def until(condition: Callable[[], object], *, within_s: float = 45) -> None:
    for _ in range(int(within_s / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not come true within {within_s} s")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    folder = tmp_path / "camera"
    folder.mkdir()
    return Source(folder)


@pytest.mark.requirement("G-6.9c1")
def test_pictures_go_in_order_and_are_told(
    lab: Lab, hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    for number in range(40):
        source.take(b"\xff\xd8\xff" + bytes([number]) * 100_000)

    async def scenario() -> None:
        async with hub() as here, working(here.url, gateway_identity("gateway-1"), source) as gateway:
            await until(lambda: not source.waiting)
            assert len(here.files()) == 40
            assert len(gateway.of("picture_uploaded")) == 40
            assert {subject for _, _, subject in gateway.told} == {CAMERA}

    asyncio.run(scenario())
    assert lab.execute("SELECT count(*), count(DISTINCT sha256) FROM media") == [(40, 40)]


def test_damaged_picture_stands_in_nobodys_way(
    hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    source.take(b"damaged", sha256="0" * 64)
    source.take(b"\xff\xd8\xffgood")

    async def scenario() -> None:
        async with hub() as here, working(here.url, gateway_identity("gateway-1"), source) as gateway:
            await until(lambda: len(source.waiting) == 1)
            (refused,) = gateway.of("picture_refused")
            assert (refused["sha256"], refused["status"]) == ("0" * 64, 422)
            assert len(here.files()) == 1

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.9c1")
def test_what_a_full_hub_does_not_take_waits_and_goes_on_after_a_restart(
    hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    for number in range(5):
        source.take(b"\xff\xd8\xff" + bytes([number]) * 300_000)
    identity = gateway_identity("gateway-1")

    async def scenario() -> None:
        async with hub(bytes_max=1_000_000) as here, working(here.url, identity, source):
            await until(lambda: len(source.waiting) == 2)
            await asyncio.sleep(0.3)
            assert len(source.waiting) == 2
            port = here.room.port
        async with working(f"https://127.0.0.1:{port}", identity, source) as gateway:
            await asyncio.sleep(0.3)  # the hub is not there
            assert len(source.waiting) == 2
            async with hub(port=port):
                await until(lambda: not source.waiting)
                assert len(gateway.of("picture_uploaded")) == 2

    asyncio.run(scenario())


@pytest.mark.requirement("G-6.9c1")
def test_stretch_that_is_wanted_comes_with_its_hashes_and_an_end(
    lab: Lab, hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    segments = [bytes([number]) * 200_000 for number in range(4)]
    for number, data in enumerate(segments):
        source.record(data, after_s=10 * number)
    source.record(b"pruned", after_s=25).unlink()
    source.busy = True

    async def scenario() -> None:
        async with hub() as here, working(here.url, gateway_identity("gateway-1"), source) as gateway:
            await until(lambda: here.room.listening("gateway-1"))
            first = wish(lab, BEGIN_MS + 12_000, BEGIN_MS + 28_000)
            nothing = wish(lab, BEGIN_MS + 100_000, BEGIN_MS + 110_000)
            foreign = wish(lab, BEGIN_MS, BEGIN_MS + 1000, camera="nowhere/camera")
            here.room.wanted_changed("gateway-1")
            await until(lambda: state(lab, foreign)[0] == "failed")
            assert state(lab, first)[0] == "waiting"  # the camera records it still
            source.busy = False
            await until(lambda: state(lab, nothing)[0] != "waiting")
            assert state(lab, first) == ("done", 2, "")
            assert state(lab, nothing) == ("none", 0, "")
            assert state(lab, foreign)[2] == "this gateway has no such camera"
            hashes = [hashlib.sha256(data).hexdigest() for data in segments[1:3]]
            assert [told["sha256"] for told in gateway.of("recording_uploaded")] == hashes
            assert [told["wish"] for told in gateway.of("recording_uploaded")] == [first, first]
            assert here.files() == sorted(hashes)

    asyncio.run(scenario())
    rows = lab.execute("SELECT kind, from_at, to_at FROM media ORDER BY from_at")
    assert [(kind, to_at - from_at) for kind, from_at, to_at in rows] == [
        ("segment", timedelta(seconds=10))
    ] * 2


def test_gateway_that_dies_in_the_middle_of_a_stretch_brings_the_rest(
    lab: Lab, hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    for number in range(12):
        source.record(bytes([number]) * 500_000, after_s=10 * number)
    identity = gateway_identity("gateway-1")
    number = wish(lab, BEGIN_MS, BEGIN_MS + 120_000)

    async def scenario() -> None:
        async with hub() as here:
            async with working(here.url, identity, source) as gateway:
                await until(lambda: len(gateway.of("recording_uploaded")) >= 2)
            assert state(lab, number)[0] == "waiting"
            async with working(here.url, identity, source):
                await until(lambda: state(lab, number)[0] == "done")
            assert state(lab, number)[1] == 12
            assert len(here.files()) == 12

    asyncio.run(scenario())


def test_files_go_no_faster_than_the_settings_say(
    hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    source.take(b"\xff\xd8\xff" + bytes(100_000))

    async def scenario() -> float:
        async with hub() as here:
            began = time.monotonic()
            async with working(here.url, gateway_identity("gateway-1"), source, kbit_s_max=400):
                await until(lambda: not source.waiting)
            return time.monotonic() - began

    assert asyncio.run(scenario()) > 0.9  # 100 kB at 50 kB/s, the last piece at once


@pytest.mark.requirement("G-6.9c2")
def test_live_view_begins_with_its_first_viewer_and_ends_with_its_last(
    hub: Any, source: Source, gateway_identity: Callable[[str], GatewayIdentity]
) -> None:
    async def scenario() -> None:
        async with hub(live_grace_s=0.5) as here:
            async with working(here.url, gateway_identity("gateway-1"), source):
                await until(lambda: here.room.listening("gateway-1"))
                assert source.frames == 0
                began = time.monotonic()
                first = here.room.watch("gateway-1", CAMERA)
                frame = await anext(first)
                assert time.monotonic() - began < 3
                assert frame.startswith(b"\xff\xd8\xff")
                second = here.room.watch("gateway-1", CAMERA)
                assert (await anext(second)).startswith(b"\xff\xd8\xff")
                assert source.looking == 1
                seen = [await anext(first) for _ in range(3)]
                assert len(set(seen)) == 3
                await asyncio.sleep(1.0)
                await anext(second)  # a slow viewer sees what is now
                await first.aclose()
                await asyncio.sleep(0.7)
                assert source.looking == 1
                await second.aclose()
                await until(lambda: source.looking == 0, within_s=3)
                shown = source.frames
                await asyncio.sleep(0.3)
                assert source.frames == shown
            assert here.files() == []

    asyncio.run(scenario())


def wish(lab: Lab, from_ms: int, to_ms: int, *, camera: str = CAMERA) -> int:
    ((number,),) = lab.execute(
        "INSERT INTO media_wishes (organisation_id, gateway_id, camera, from_at, to_at, asked_at)"
        " VALUES (1, 1, %s, to_timestamp(%s / 1000.0), to_timestamp(%s / 1000.0), %s) RETURNING id",
        camera,
        from_ms,
        to_ms,
        datetime.fromisoformat("2026-03-01T12:00:00+00:00"),
    )
    return int(number)


def state(lab: Lab, number: int) -> tuple[str, int | None, str]:
    ((found, segments, why),) = lab.execute(
        "SELECT state, segments, why FROM media_wishes WHERE id = %s", number
    )
    return found, segments, why
