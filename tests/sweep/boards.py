"""Adapters of drivers of the gateway's own machine: kernel, sensors of its board, pins."""

import asyncio

from edge.credential import FORMATS, frame_of
from simulators.devices.sysfs import Sensor, sysfs_tree
from tests.edge.drivers.conftest import Collector
from tests.edge.drivers.network.test_decode import ETH
from tests.edge.drivers.network.test_driver import Kernel
from tests.sweep.fitting import Fault, Fitted, Site, absent, goes_on, only, silent, told
from tests.sweep.lines import cards, masked
from wire.messages import Poll
from wire.settings.gpio import GpioDevice, GpioInput, WiegandDevice
from wire.settings.network import NetworkDevice
from wire.settings.sysfs import SysfsDevice, SysfsSensor, SysfsValue
from wire.status import GapCause

DOOR, D0, D1 = 17, 20, 21
CARD = f"{frame_of(FORMATS['h10301'], 51603, 118):026b}"
VISIT_S = 0.4
SLOW_S = 0.4
"""Between two bits; the driver takes a card as complete sooner than that."""


async def network(site: Site) -> Fitted:
    root = site.place("kernel")
    kernel = Kernel(root)
    device = NetworkDevice(name="uplink", root=str(root), interval_ms=1000)
    lost = silent(GapCause.GATEWAY)
    faults = {
        "garbage": Fault(lost, lambda: kernel.route("eth0\n"), lambda: kernel.route(ETH)),
        "silence": Fault(lost, (root / "proc/net/route").unlink, lambda: kernel.route(ETH)),
        "reset": Fault(goes_on, lambda: kernel.interface("eth0", 0, 0)),
    }

    def true(poll: Poll) -> bool:
        bearer, level, *counted = poll.counts
        return bearer in (0, 1) and level is None and set(counted) == {0}

    return Fitted(device, faults, true, every_s=1.0)


async def sysfs(site: Site) -> Fitted:
    root = site.place("sys")
    air = Sensor("iio", "bme280", "platform/soc/i2c-1/1-0076", {"in_temp_input": lambda: 21.5})
    tree = await site.stack.enter_async_context(sysfs_tree(root, [air]))
    sensor = SysfsSensor(
        kind="iio",
        chip="bme280",
        at="i2c-1/1-0076",
        prefix="cabinet",
        value=[SysfsValue(channel="in_temp", point="temperature")],
    )
    device = SysfsDevice(name="board", root=str(root), interval_ms=100, timeout_ms=200, sensor=[sensor])

    def switch(fault: str) -> None:
        tree.switch(fault, 1)

    faults = {
        "garbage": Fault(absent, lambda: switch("garbage"), lambda: switch("")),
        "silence": Fault(silent(GapCause.BUS), lambda: switch("silence"), lambda: switch("")),
        "slow": Fault(silent(GapCause.BUS), lambda: switch("slow"), lambda: switch("")),
        "reset": Fault(silent(GapCause.SENSOR), lambda: switch("moved"), lambda: switch("")),
    }
    return Fitted(device, faults, only(21_500_000), block=faults["silence"])


async def gpio(site: Site) -> Fitted:
    board = await site.board()
    board.drive(DOOR, 0)
    contact = GpioInput(name="contact", kind="door_contact", pin=DOOR, settle_ms=30, chatter_ms=200)
    device = GpioDevice(name="door", prefix="back-door", interval_ms=100, input=[contact])

    def fault(word: str) -> None:
        board.fault = word

    def opened_unheard() -> None:
        board.fault = "deaf"
        board.drive(DOOR, 1)

    def shut() -> None:
        board.fault = ""
        board.drive(DOOR, 0)

    def open_now(collector: Collector) -> bool:
        return any(poll.counts == [1] for poll in collector.polls)

    async def rattle() -> None:
        await board.chatter(DOOR, seed=3, seconds=0.8)

    faults = {
        "garbage": Fault(told("input_chatter"), rattle, shut),
        "silence": Fault(open_now, opened_unheard, shut),
        "slow": Fault(goes_on, lambda: fault("slow"), lambda: fault("")),
        "reset": Fault(silent(GapCause.BUS), lambda: fault("gone"), lambda: fault("")),
    }
    return Fitted(device, faults, lambda poll: poll.counts in ([0], [1], [None]))


async def wiegand(site: Site) -> Fitted:
    board = await site.board()
    bits, gap_s = CARD, 0.001

    def power(level: int) -> None:
        show(CARD if level else "")
        for pin in (D0, D1):
            board.drive(pin, level)

    def show(what: str, between_s: float = 0.001) -> None:
        nonlocal bits, gap_s
        bits, gap_s = what, between_s

    async def visits() -> None:
        while True:
            await asyncio.sleep(VISIT_S)
            await board.send_card(D0, D1, bits, gap_s=gap_s)

    power(1)
    await site.live(visits())
    device = WiegandDevice(
        name="old-door", prefix="old-door", d0_pin=D0, d1_pin=D1, interval_ms=100, silence_ms=200
    )

    def fault(word: str) -> None:
        board.fault = word

    faults = {
        "garbage": Fault(told("card_unreadable"), lambda: show("1" * 19), lambda: show(CARD)),
        "silence": Fault(told("reader_line_low"), lambda: power(0), lambda: power(1)),
        "slow": Fault(told("card_unreadable"), lambda: show(CARD[:4], SLOW_S), lambda: show(CARD)),
        "reset": Fault(silent(GapCause.BUS), lambda: fault("gone"), lambda: fault("")),
    }
    return Fitted(
        device,
        faults,
        lambda poll: poll.counts[0] in (0, 1),
        alive=lambda collector: len(cards(collector)),
        also=masked,
        every_s=VISIT_S,
    )
