"""When a gateway ends, outputs of interlocks are made safe first, and no device holds the end up."""

import asyncio

import pytest

from edge.ending import end_control


async def _locks(done: list[str], hangs: asyncio.Event) -> None:
    """Holds a door, and locks it at the end over a bus that does not answer."""
    try:
        await asyncio.Event().wait()
    finally:
        done.append("locking")
        await hangs.wait()


@pytest.mark.requirement("G-6.9d")
def test_interlocks_are_safe_before_anything_else_ends_and_no_device_holds_the_end_up() -> None:
    async def story() -> list[str]:
        done: list[str] = []

        async def ended() -> None:
            done.append("interlocks")
            await asyncio.sleep(0)
            done.append("safe")

        async with asyncio.TaskGroup() as tasks:
            lock = tasks.create_task(_locks(done, asyncio.Event()))
            await asyncio.sleep(0)
            async with asyncio.timeout(20):
                await end_control(ended, [lock], within_s=0.05)
        return done

    done = asyncio.run(story())
    assert done[0] == "interlocks"
    assert sorted(done) == ["interlocks", "locking", "safe"]


def test_error_at_the_end_of_control_is_logged_and_leaves_the_rest_to_be_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def ended() -> None:
        raise ArithmeticError("a clock that nobody expected")

    asyncio.run(end_control(ended, []))
    assert "control did not end as it should" in caplog.text
