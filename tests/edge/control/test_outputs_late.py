"""What nobody wants any more by the time it could be written is not written, unless it is towards safety."""

import asyncio

import pytest

from edge.control.outputs import OutputError
from tests.edge.control.test_outputs import LOCK, Stand, turns


@pytest.mark.parametrize("hangs", ["disk", "device"])
def test_what_nobody_wants_any_more_is_not_written_although_it_is_durable(hangs: str) -> None:
    stand, free = Stand(LOCK), asyncio.Event()

    async def story() -> None:
        wanted = True
        if hangs == "disk":
            stand.disk_hangs = free
        else:
            stand.device.hangs = free
            earlier = asyncio.create_task(stand.outputs.set("door/lock", 1, by="other"))
        late = asyncio.create_task(stand.outputs.set("door/lock", 1, by="panel", still_wanted=lambda: wanted))
        await turns()
        wanted = False
        free.set()
        with pytest.raises(OutputError, match="door/lock: its time is over meanwhile"):
            await late
        if hangs == "device":
            await earlier

    asyncio.run(story())
    assert stand.device.written == ([] if hangs == "disk" else [("door/lock", 1)])
    assert stand.kinds[-1] == "output_failed"


def test_what_is_towards_safety_is_never_too_late() -> None:
    stand = Stand(LOCK)
    asyncio.run(stand.outputs.set("door/lock", 0, by="panel", still_wanted=lambda: False))
    assert stand.device.written == [("door/lock", 0)]
