"""What shows that control lives stops when control does."""

import asyncio

import pytest

from edge.control.outputs import OutputError
from tests.edge.control.site import RELAY, WARM, WORK, Site, running, turns

PULSED = WARM + WORK + '[control]\nenable_output = "gpio/enable"\npulse_ms = 20\n'


def edges(site: Site) -> list[int]:
    return [level for output, level in site.board.written if output == "gpio/enable"]


@pytest.mark.requirement("G-6.9c1")
def test_enable_output_pulses_while_the_control_loop_turns_and_no_longer() -> None:
    async def run() -> None:
        site = Site(PULSED)
        site.now_is_real()
        async with running(site, "enable output", "interlocks"):
            await asyncio.sleep(0.2)
            assert len(edges(site)) >= 4
            assert edges(site)[:4] == [1, 0, 1, 0]
        async with running(site, "enable output"):
            site.board.written.clear()
            await asyncio.sleep(0.1)
            assert not edges(site)

    asyncio.run(run())


def test_enable_output_is_set_by_nobody_else() -> None:
    async def run() -> None:
        site = Site(PULSED)
        with pytest.raises(OutputError, match="it shows that control lives"):
            await site.outputs.set("gpio/enable", 1, by="local")

    asyncio.run(run())


def test_control_that_does_not_turn_is_not_alive() -> None:
    async def run() -> None:
        site = Site(PULSED)
        assert site.control is not None
        async with running(site, "interlocks"):
            await turns()
            assert site.control.alive
        site.tick += 250
        assert not site.control.alive
        assert Site("").control.alive

    asyncio.run(run())


def test_end_leaves_outputs_safe_and_the_state_written_down() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            await site.enabled()
            await turns()
        assert site.board.values["gpio/relay"] == 1
        assert site.control is not None
        await site.control.ended()
        assert site.board.values["gpio/relay"] == 0
        assert b'"healthy"' in site.disk.waiting["@interlock/room"]

    asyncio.run(run())


async def released(site: Site) -> None:
    async with running(site):
        await site.enabled()
        await turns()
    site.board.values["gpio/enable"] = 1


@pytest.mark.requirement("G-6.9d")
@pytest.mark.parametrize("bug", [ZeroDivisionError("a bug"), asyncio.CancelledError("of another task")])
def test_end_leaves_the_others_safe_although_a_driver_raises_what_nobody_expects(
    bug: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        site = Site(PULSED + RELAY)
        await released(site)
        site.board.bugs["gpio/relay"] = bug
        await site.interlocks.ended()
        assert site.board.values["gpio/enable"] == 0
        assert "gpio/relay: not made safe" in caplog.text

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_end_leaves_outputs_safe_although_the_interlock_cannot_be_judged_any_more() -> None:
    async def run() -> None:
        site = Site()
        await released(site)
        site.broken = True
        with pytest.raises(ArithmeticError):
            await site.interlocks.ended()
        assert site.board.values["gpio/relay"] == 0

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_end_does_not_wait_for_ever_and_names_what_was_not_made_safe(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        site = Site(PULSED + RELAY)
        await released(site)
        site.board.hangs["gpio/relay"] = asyncio.Event()
        async with asyncio.timeout(45):
            await site.interlocks.ended()
        assert site.board.values["gpio/enable"] == 0
        assert "gpio/relay: not made safe within 2 s" in caplog.text

    asyncio.run(run())
