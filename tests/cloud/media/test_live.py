"""Live views without a network: who looks sees what is now, also of a gateway that began anew."""

import asyncio
import itertools

import pytest

from cloud.media.live import LiveSessions

CAMERA = "weighing/camera"


def sessions() -> LiveSessions:
    number = itertools.count()
    return LiveSessions(
        token=lambda: f"{next(number):032x}", changed=lambda _: None, grace_s=60.0, stale_s=0.05
    )


def token_of(live: LiveSessions) -> str:
    (wanted,) = live.wanted("gateway-1")
    return wanted.session


def test_view_of_a_gateway_that_began_anew_begins_anew() -> None:
    """Frames are numbered by the gateway's monotonic clock, which starts at nothing when its machine does."""

    async def scene() -> None:
        live = sessions()
        first = live.watch("gateway-1", CAMERA)
        looking = asyncio.ensure_future(anext(first))
        await asyncio.sleep(0)
        old = live.find("gateway-1", token_of(live))
        assert old is not None
        assert live.take(old, 86_400_000, b"before")
        assert await looking == b"before"
        with pytest.raises(StopAsyncIteration):  # the gateway is gone, and nothing moves any more
            await anext(first)
        second = live.watch("gateway-1", CAMERA)
        looking = asyncio.ensure_future(anext(second))
        await asyncio.sleep(0)
        new = live.find("gateway-1", token_of(live))
        assert new is not None
        assert live.take(new, 1_000, b"after")
        assert await looking == b"after"
        await second.aclose()
        live.close()

    asyncio.run(scene())


def test_every_camera_that_may_be_watched_has_room_for_its_connection() -> None:
    from cloud.media.live import SESSIONS_MAX
    from cloud.media.room import PLACES

    assert PLACES.per_name >= SESSIONS_MAX + 2, "one for questions, one for files"
