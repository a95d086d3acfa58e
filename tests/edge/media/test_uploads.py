"""Stretches of recordings go to the hub again and again until it has them all, and each is told once."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.media.link import HubAnswer, LinkError
from edge.media.source import Outgoing
from edge.media.uploads import Uploads
from wire.media import Description, SpanWanted

CAMERA = "room/camera"


class Hub:
    """Stands in for the link: answers what it is told to, in order, and then 201 or 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.asked: list[str] = []

    async def ask(self, method: str, target: str, **_: object) -> HubAnswer:
        self.asked.append(method)
        return HubAnswer(self.answers.pop(0) if self.answers else {"PUT": 201}.get(method, 200), b"")


class Recorded:
    """A camera with segments; implements `edge.media.source.MediaSource`."""

    name, camera = "cam", CAMERA

    def __init__(self, folder: Path, count: int) -> None:
        self._segments = []
        for number in range(count):
            file = folder / f"{number}.ts"
            file.write_bytes(b"%d" % number)
            about = Description(
                camera=CAMERA, device="cam", kind="segment", content_type="video/mp2t", bytes=1, tick=number
            )
            self._segments.append(Outgoing(file, about, ""))

    def pictures(self, most: int, *, but: Collection[str] = ()) -> Sequence[Outgoing]:
        return []

    def sent(self, picture: Outgoing) -> None:
        raise AssertionError

    def recorded(self, from_ms: int, to_ms: int) -> Sequence[Outgoing]:
        return self._segments

    def recording_until(self, to_ms: int) -> bool:
        return False

    async def live(self, show: Callable[[bytes], None]) -> None:
        raise AssertionError


def test_segment_is_told_once_however_often_its_stretch_is_brought(tmp_path: Path) -> None:
    hub, source = Hub(), Recorded(tmp_path, 3)
    told: list[tuple[str, Any, Any]] = []

    def tell(kind: str, data: dict[str, Any], *, subject: str) -> None:
        told.append((kind, data["wish"], data["sha256"]))

    uploads = Uploads("lab-1", hub, tell=tell, now=lambda: 0.0)  # type: ignore[arg-type]
    span, other = (SpanWanted(id=number, camera=CAMERA, from_ms=0, to_ms=1) for number in (1, 2))

    async def story() -> None:
        for failing in ([201, 201, 503], [201, 201, 201, 503]):  # of a segment, then of what became of it
            hub.answers = failing
            with pytest.raises(LinkError):
                await uploads.bring_spans([span], [source])
        await uploads.bring_spans([span], [source])
        assert len(told) == len(set(told)) == 3
        await uploads.bring_spans([span, other], [source])
        assert [wish for _, wish, _ in told] == [1, 1, 1, 2, 2, 2]

    asyncio.run(story())
