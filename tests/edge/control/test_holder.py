"""An output that an interlock owns is made safe until it is, and let go as its settings say."""

import asyncio

import pytest

from tests.edge.control.site import RELAY, WARM, Site, released, running, turns

LEAVE = RELAY + 'release = "leave"\n'
BLIND = RELAY + "read_back = false\n"


@pytest.mark.requirement("G-6.9d")
def test_device_that_comes_later_is_made_safe_then_and_nothing_failed() -> None:
    async def run() -> None:
        site = Site()
        site.board.gone = True
        async with running(site):
            await asyncio.sleep(0.05)
            assert not site.board.written
            site.board.gone = False
            await asyncio.sleep(0.3)
            assert site.board.written == [("gpio/relay", 0)]
        assert "output_failed" not in site.disk.kinds()
        assert site.now().first_out == ("@new",)

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_device_that_does_not_take_its_safe_state_is_told_once_and_tried_again() -> None:
    async def run() -> None:
        async with released() as site:
            site.board.gone = True
            site.read("30")
            await asyncio.sleep(1.3)
            assert site.disk.kinds().count("output_failed") == 1
            site.board.gone = False
            await asyncio.sleep(1.0)
            assert site.board.values["gpio/relay"] == 0
        assert site.disk.kinds()[-1] == "output_set"

    asyncio.run(run())


def test_output_that_is_left_is_free_to_be_set_when_it_is_released() -> None:
    async def run() -> None:
        async with released(WARM + LEAVE) as site:
            assert site.board.values["gpio/relay"] == 0
            await site.outputs.set("gpio/relay", 1, by="regulation")
            site.read("30")
            await turns()
            assert site.board.values["gpio/relay"] == 0

    asyncio.run(run())


def test_output_that_cannot_be_read_back_is_written_all_the_same() -> None:
    async def run() -> None:
        site = Site(WARM + BLIND)
        site.board.stuck = True
        async with running(site):
            await site.enabled()
            await turns()
            site.read("30")
            await turns()
            assert site.board.written == [("gpio/relay", 0), ("gpio/relay", 1), ("gpio/relay", 0)]
        assert [one.confirmed for one in site.now().effects] == [None]
        assert "output_failed" not in site.disk.kinds()

    asyncio.run(run())


@pytest.mark.parametrize("where", ["write", "read_back"])
def test_driver_that_raises_what_nobody_expects_is_asked_again_until_it_is_safe(where: str) -> None:
    async def run() -> None:
        async with released() as site:
            site.now_is_real()
            site.board.bugs[where] = ZeroDivisionError("a bug of a driver")
            site.read("30")
            await asyncio.sleep(0.6)
            assert site.now().effects[0].confirmed is not True
            site.board.values["gpio/relay"] = 1
            site.board.bugs.clear()
            await asyncio.sleep(1.3)
            assert site.board.values["gpio/relay"] == 0
        failed = [str(data["reason"]) for kind, data, _ in site.disk.told if kind == "output_failed"]
        assert len(failed) == 1, failed
        assert "ZeroDivisionError: a bug of a driver" in failed[0] or where == "read_back"

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_what_was_demanded_is_not_forgotten_when_its_part_begins_again() -> None:
    async def run() -> None:
        async with released() as site:
            site.board.gone = True
            site.read("30")
            await turns()
        site.board.gone = False
        assert site.board.values["gpio/relay"] == 1
        async with running(site):
            await turns()
            assert site.board.values["gpio/relay"] == 0

    asyncio.run(run())


def test_what_was_released_is_not_forgotten_when_its_part_begins_again() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            await site.enabled()
            site.board.gone = True
            await turns()
        site.board.gone = False
        async with running(site):
            await turns()
            assert site.board.values["gpio/relay"] == 1

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_output_that_others_switch_right_after_it_was_made_safe_is_made_safe_again() -> None:
    async def run() -> None:
        async with released() as site:
            site.read("30")
            await turns()
            assert site.board.values["gpio/relay"] == 0
            site.board.values["gpio/relay"] = 1
            await asyncio.sleep(0.5)
            assert site.board.values["gpio/relay"] == 0

    asyncio.run(run())
