"""Interlocks at the gateway: safe at once, released only by what the disk knows, the same after a restart."""

import asyncio
from decimal import Decimal

import pytest
from msgspec import structs

from edge.control.outputs import OutputError
from rules.interlock.inputs import Acknowledge, BeginBypass, Enable, Reset, Trip
from rules.interlock.reasons import Reason
from tests.edge.control.site import ANNE, BORIS, RELAY, WARM, WORK, Site, released, running, turns
from wire.codec import encode_body

DOORS = """
[[interlock]]
name = "room"
[[interlock.group]]
name = "doors"
cause = [{ name = "open", kind = "state", point = "room/door", normal = ["closed"] }]
"""


@pytest.mark.requirement("G-6.9a2")
def test_reading_that_is_out_makes_the_output_safe_before_anything_is_on_the_disk() -> None:
    async def run() -> None:
        async with released() as site:
            assert site.board.values["gpio/relay"] == 1
            site.disk.full = True
            site.board.written.clear()
            site.read("24.11")
            assert site.phase() == "tripped"
            await turns(5)
            assert site.board.written == [("gpio/relay", 0)]
        tripped = [told for told in site.disk.told if told[0] == "interlock_tripped"][-1]
        assert tripped[2] == "room"
        assert tripped[1]["first_out"] == "warm"

    asyncio.run(run())


@pytest.mark.requirement("G-6.9a2")
def test_nothing_is_released_that_the_disk_did_not_take() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            site.later(2, "23")
            breach = site.now().breach
            assert (await site.interlocks.act("room", Acknowledge(by=ANNE, breach=breach))).done
            assert (await site.interlocks.act("room", Reset(by=ANNE, breach=breach))).done
            site.disk.full = True
            acted = await site.interlocks.act("room", Enable(by=ANNE, breach=breach))
            assert "disk takes nothing" in acted.failed
            await turns()
            assert site.phase() == "reset"
            assert site.board.values["gpio/relay"] == 0
            site.disk.full, site.disk.hangs = False, asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                enabling = tasks.create_task(site.interlocks.act("room", Enable(by=ANNE, breach=breach)))
                await turns()
                assert site.phase() == "reset"
                assert not site.interlocks.releases("gpio/relay")
                site.disk.hangs.set()
            assert enabling.result().done
            site.disk.hangs = None
            await turns()
            assert site.board.values["gpio/relay"] == 1
            assert b'"healthy"' in site.disk.kept["@interlock/room"]

    asyncio.run(run())


def test_breach_while_a_permit_is_on_its_way_to_the_disk_wins() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            site.later(2, "23")
            breach = site.now().breach
            await site.interlocks.act("room", Acknowledge(by=ANNE, breach=breach))
            await site.interlocks.act("room", Reset(by=ANNE, breach=breach))
            site.disk.hangs = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                enabling = tasks.create_task(site.interlocks.act("room", Enable(by=ANNE, breach=breach)))
                await turns()
                site.tick += 100
                site.read("30")
                site.disk.hangs.set()
            assert enabling.result().refused in (Reason.NOT_RESET, Reason.OTHER_BREACH)
            await turns()
            assert site.board.values["gpio/relay"] == 0
            site.disk.hangs = None
            await site.disk.settle()
            assert b'"tripped"' in site.disk.kept["@interlock/room"]

    asyncio.run(run())


@pytest.mark.requirement("G-6.9b")
def test_output_that_an_interlock_holds_is_set_by_nobody_else() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            with pytest.raises(OutputError, match="gpio/relay: interlock room holds it in its safe state"):
                await site.outputs.set("gpio/relay", 1, by="local")
            await site.outputs.set("gpio/relay", 0, by="local")
            held = site.interlocks.command_refusal("gpio/relay", "output.set")
            assert held is not None
            assert (held.interlock, held.reason) == ("room", Reason.TRIPPED)
            await site.enabled()
            await turns()
            await site.outputs.set("gpio/relay", 1, by="local")
            assert site.interlocks.command_refusal("gpio/relay", "output.set") is None

    asyncio.run(run())


@pytest.mark.requirement("G-6.9d")
def test_output_that_does_not_follow_trips_after_half_a_second() -> None:
    async def run() -> None:
        async with released() as site:
            site.board.values["gpio/relay"] = 0
            await asyncio.sleep(0.25)
            site.later(0.4, "23")
            assert site.phase() == "healthy"
            site.tick += 20
            site.interlocks.engine.pass_time()
            assert site.phase() == "tripped"
            assert site.now().first_out == ("@output/gpio/relay",)

    asyncio.run(run())


@pytest.mark.requirement("G-6.9c1")
def test_restart_keeps_latch_and_first_out_and_a_hard_interlock_starts_tripped() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            await site.enabled()
            site.read("30")
            await site.disk.settle()
            breach = site.now().breach
            site.begin()
            assert (site.phase(), site.now().breach, site.now().first_out) == ("tripped", breach, ("warm",))
        async with running(site):
            await site.enabled()
            await site.disk.settle()
        site.begin()
        assert (site.phase(), site.now().first_out) == ("tripped", ("@restart",))
        site.whole = False
        site.begin()
        assert site.now().first_out == ("@state_lost",)

    asyncio.run(run())


def test_work_that_is_held_goes_on_by_itself_only_when_the_disk_knows_it() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        site.later(1, "23")
        assert not site.interlocks.held_zones()
        await site.disk.settle()
        site.begin()
        assert site.phase() == "starting"
        assert site.interlocks.held_zones() == {"lab": ["room"]}
        async with running(site, "permits"):
            site.later(1, "23")
            assert site.phase() == "healthy"
            assert site.interlocks.held_zones()
            await turns()
            assert not site.interlocks.held_zones()
        assert site.disk.kinds()[-2:] == ["interlock_resumed", "work_released"]
        site.begin()
        site.disk.full = True
        async with running(site, "permits"):
            site.later(1, "23")
            await turns()
            assert site.phase() == "ready_to_reset"
            assert site.interlocks.held_zones()

    asyncio.run(run())


@pytest.mark.requirement("G-6.9c1")
def test_bypass_does_not_outlive_its_end_over_a_restart() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        asked = BeginBypass(by=ANNE, cause="warm", second=BORIS, reason="probe is exchanged", seconds=60)
        assert (await site.interlocks.act("room", asked)).done
        site.later(1, "30")
        assert site.phase() == "healthy"
        site.interlocks.engine.keep(site.interlocks.engine.runners[0])
        await site.disk.settle()
        site.later(20)
        site.begin()
        assert [one.cause for one in site.now().bypasses] == ["warm"]
        assert site.now().bypasses[0].remaining_s == 39
        site.later(40)
        site.begin()
        assert not site.now().bypasses

    asyncio.run(run())


@pytest.mark.requirement("G-6.9c1")
def test_journal_that_takes_nothing_for_ten_seconds_trips_everything() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        site.interlocks.engine.journal_took()
        site.later(10, "23")
        assert site.phase() == "healthy"
        site.later(1, "23")
        assert site.phase() == "ready_to_reset"
        told = next(data for kind, data, _ in reversed(site.disk.told) if kind == "interlock_tripped")
        assert told["text"] == "the journal took nothing for 10 s"
        breach = site.now().breach
        site.later(20, "23")
        assert site.now().breach == breach

    asyncio.run(run())


def test_what_control_does_not_expect_makes_everything_safe() -> None:
    async def run() -> None:
        async with released() as site:
            site.broken = True
            with pytest.raises(ArithmeticError):
                site.read("23")
            await turns(5)
            assert site.board.values["gpio/relay"] == 0
            site.broken = False
            site.later(1, "23")
            assert site.phase() != "healthy"

    asyncio.run(run())


def test_point_that_is_gone_after_a_change_of_devices_goes_stale_and_trips() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        site.board.points, site.board.layouts = [], []
        assert site.control is not None
        site.control.replan()
        assert site.phase() == "healthy"
        site.later(5, "23")
        assert (site.phase(), site.now().causes[0].stale) == ("tripped", True)

    asyncio.run(run())


def test_states_with_other_words_are_another_rule() -> None:
    async def run() -> None:
        site = Site(DOORS + WORK)
        await site.enabled()
        other = structs.replace(site.board.points[1], states={"1": "closed", "0": "open"})
        site.board.points = [site.board.points[0], other]
        assert site.control is not None
        site.control.replan()
        assert (site.phase(), site.now().first_out) == ("tripped", ("@rule_changed",))

    asyncio.run(run())


def test_limits_are_the_numbers_that_were_typed() -> None:
    site = Site(WARM + WORK)
    condition = site.interlocks.engine.runners[0].plan.watched[0].condition
    assert getattr(condition, "high", None) == Decimal("24.1")


def test_state_of_control_can_be_told_to_the_hub() -> None:
    async def run() -> None:
        site = Site(WARM + RELAY + WORK)
        site.later(2, "25")
        now = site.now()
        assert (now.causes[0].value, now.causes[0].verdict, now.causes[0].votes) == ("25.00 °C", "out", True)
        assert [(one.kind, one.target, one.safe) for one in now.effects] == [
            ("inhibit_output", "gpio/relay", True),
            ("hold_work", "lab", True),
        ]
        assert now.unmet[0].reason == "out"
        assert (now.causes[0].bypassable, now.causes[0].check_due) == (True, False)
        assert [one.bypassable for one in now.causes if one.name.startswith("@")] == [False]
        assert 0 < now.breach_s < now.worst_s
        assert encode_body(now)
        assert (await site.interlocks.act("room", Trip(by=ANNE, reason="smell"))).done
        assert (await site.interlocks.act("hall", Trip(by=ANNE))).failed == "no interlock is called hall"

    asyncio.run(run())


def test_others_hear_when_an_output_is_confirmed_in_its_safe_state() -> None:
    async def run() -> None:
        async with released() as site:
            heard: list[bool | None] = []
            site.interlocks.changed.add(lambda: heard.append(site.now().effects[0].confirmed))
            site.read("24.11")
            await asyncio.sleep(0.3)
            assert site.now().effects[0].confirmed is True
            assert heard[-1] is True

    asyncio.run(run())


def test_act_that_nobody_waits_for_any_more_permits_nothing() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        site.later(2, "23")
        breach = site.now().breach
        site.disk.hangs = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            asked = Acknowledge(by=ANNE, breach=breach)
            acting = tasks.create_task(site.interlocks.act("room", asked))
            await turns()
            acting.cancel()
        site.disk.hangs = None
        await site.disk.settle()
        assert site.now().acknowledged_by == ""
        assert b"anne" not in site.disk.kept["@interlock/room"]

    asyncio.run(run())
