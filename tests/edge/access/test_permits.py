"""What permits counts once the disk has it, and the disk has what counts, whoever comes between."""

import asyncio
from pathlib import Path

import pytest

from edge.control.offers import NotDoneError
from tests.edge.access.house import House, World, run


def kept_downs(house: House) -> set[str]:
    """What a gateway would know as locked down that starts with what the disk holds."""
    return set(House(Path(), World(), kept=dict(house.kept)).access.judge.memory.state.lock_downs)


def test_lock_down_outlasts_a_restart_that_interrupts_its_release(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.lock_down("*", by="17", reason="fire drill")
            house.commit_s = 1.0
            releasing = asyncio.create_task(house.access.release("*", by="17", reason="over"))
            await asyncio.sleep(0.5)
            releasing.cancel()
            await asyncio.gather(releasing, return_exceptions=True)
            assert set(house.status().lock_downs) == {"*"}
            assert kept_downs(house) == {"*"}, "what counts is what a restart finds"

    run(story())


def test_place_that_was_interrupted_is_not_on_the_disk_either(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            house.commit_s = 1.0
            placing = asyncio.create_task(house.access.place("ben", "lab", by="17"))
            await asyncio.sleep(0.5)
            placing.cancel()
            await asyncio.gather(placing, return_exceptions=True)
            assert not house.inside
            assert not House(tmp_path, World(), kept=dict(house.kept)).inside

    run(story())


def test_release_that_others_overtake_is_written_down_again_before_it_counts(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.lock_down("*", by="17", reason="fire drill")
            house.commit_s = 1.0
            releasing = asyncio.create_task(house.access.release("*", by="17", reason="over"))
            await asyncio.sleep(0.5)
            down = asyncio.create_task(house.access.lock_down("lab", by="17", reason="spill"))
            await asyncio.sleep(0.7)
            assert set(house.status().lock_downs) == {"*", "lab"}, "the disk may not have the release"
            await asyncio.gather(releasing, down)
            assert set(house.status().lock_downs) == {"lab"}
            assert kept_downs(house) == {"lab"}

    run(story())


def test_lock_down_that_is_asked_for_while_another_ends_stays(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.lock_down("*", by="17", reason="fire drill")
            house.commit_s = 1.0
            releasing = asyncio.create_task(house.access.release("*", by="17", reason="over"))
            await asyncio.sleep(0.5)
            await house.access.lock_down("*", by="18", reason="it burns")
            with pytest.raises(NotDoneError, match="again meanwhile"):
                await releasing
            assert set(house.status().lock_downs) == {"*"}
            assert kept_downs(house) == {"*"}

    run(story())


def test_two_releases_at_once_both_count(tmp_path: Path) -> None:
    async def story() -> None:
        async with House(tmp_path, World()).running() as house:
            await house.access.lock_down("lab", by="17", reason="spill")
            await house.access.lock_down("dark-room", by="17", reason="spill")
            house.commit_s = 1.0
            await asyncio.gather(
                house.access.release("lab", by="17", reason="over"),
                house.access.release("dark-room", by="17", reason="over"),
            )
            assert house.status().lock_downs == ()
            assert not kept_downs(house)

    run(story())
