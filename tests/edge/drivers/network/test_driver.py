"""The gateway's own uplink, on a tree of files as the kernel shows them."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.network.driver import NetworkDriver
from edge.journal.sieve import FULL, NOTHING_YET, Pace
from tests.edge.drivers.network.test_decode import ETH, HEAD, WIRELESS, WLAN
from wire.messages import Clock
from wire.settings.check import check
from wire.settings.network import DataBudget, NetworkDevice
from wire.status import ClockState, GapCause

MIDNIGHT = Clock(ClockState.SYNCHRONISED, 20_000 * 86_400 * 100, 5, "system")
"""At tick 0 it is the beginning of a day in UTC."""
pytestmark = pytest.mark.requirement("G-5.2")


class Kernel:
    """Files as the kernel shows them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/sys/kernel/random/boot_id", "one\n")
        self.write("proc/net/wireless", WIRELESS)
        self.route(ETH)
        self.interface("eth0", 1000, 2000)
        self.interface("wlan0", 0, 0, "DEVTYPE=wlan\n")
        self.interface("lo", 5, 5)

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def route(self, *lines: str) -> None:
        self.write("proc/net/route", HEAD + "".join(lines))

    def interface(self, name: str, sent: int, received: int, uevent: str = "") -> None:
        self.write(f"sys/class/net/{name}/uevent", uevent)
        self.write(f"sys/class/net/{name}/statistics/tx_bytes", f"{sent}\n")
        self.write(f"sys/class/net/{name}/statistics/rx_bytes", f"{received}\n")


def driver(kernel: Kernel, budget: DataBudget | None = None) -> NetworkDriver:
    ns = iter(range(0, 10**18, 10**9))
    settings = NetworkDevice(
        name="uplink", root=str(kernel.root), interval_ms=1000, mobile=["usb0"], budget=budget
    )
    return NetworkDriver(settings, Given(lambda: next(ns), clock=lambda: MIDNIGHT))


def look(kernel: Kernel, collector: Any, run_until: Any, made: NetworkDriver | None = None) -> list[Any]:
    """Run until one more poll came; return its counts."""
    before = len(collector.polls)
    ended = asyncio.run(run_until(made or driver(kernel), collector, lambda: len(collector.polls) > before))
    assert ended is None
    return list(collector.polls[-1].counts)


def test_bearer_and_bytes_are_told_and_a_level_only_where_there_is_one(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel = Kernel(tmp_path)
    assert look(kernel, collector, run_until) == [1, None, 0, 0, 0, 0]
    assert [flag for _, flag in collector.polls[-1].flags] == [16]
    kernel.route(WLAN)
    assert look(kernel, collector, run_until) == [2, -56, 0, 0, 0, 1]


def test_machine_without_wifi_has_no_level_to_miss(tmp_path: Path, collector: Any, run_until: Any) -> None:
    kernel = Kernel(tmp_path)
    (tmp_path / "sys/class/net/wlan0/uevent").write_text("INTERFACE=wlan0\n")
    made = driver(kernel)
    assert "uplink/signal" not in [point.name for point in made.points]
    assert look(kernel, collector, run_until, made) == [1, 0, 0, 0, 0]
    assert collector.polls[-1].flags == []


def test_totals_go_on_over_restarts_of_gateway_and_machine(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel = Kernel(tmp_path)
    look(kernel, collector, run_until)
    kernel.interface("eth0", 1500, 2600)
    assert look(kernel, collector, run_until)[2:4] == [500, 600]
    kernel.write("proc/sys/kernel/random/boot_id", "two\n")
    kernel.interface("eth0", 1600, 100)
    assert look(kernel, collector, run_until)[2:4] == [2100, 700]


def test_other_bearer_is_an_event(tmp_path: Path, collector: Any, run_until: Any) -> None:
    kernel = Kernel(tmp_path)
    made = driver(kernel)
    look(kernel, collector, run_until, made)
    assert collector.events == []
    kernel.route()
    look(kernel, collector, run_until, made)
    assert [(event.kind, event.data) for event in collector.events] == [
        ("bearer_changed", {"from": "ethernet", "to": "none", "interface_before": "eth0"})
    ]


def test_other_interface_of_the_same_kind_is_a_fail_over_too(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel = Kernel(tmp_path)
    look(kernel, collector, run_until)
    kernel.interface("eth1", 0, 0)
    kernel.route(ETH.replace("eth0", "eth1"))
    assert look(kernel, collector, run_until)[-1] == 1
    (event,) = collector.events
    assert (event.subject, event.data["interface_before"]) == ("eth1", "eth0")
    assert look(kernel, collector, run_until)[-1] == 1


def test_only_what_mobile_links_carried_is_counted_as_mobile(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel = Kernel(tmp_path)
    kernel.interface("usb0", 100, 100)
    look(kernel, collector, run_until)
    kernel.interface("usb0", 110, 150)
    kernel.interface("eth0", 5000, 5000)
    assert look(kernel, collector, run_until)[2:] == [4010, 3050, 60, 0]


def test_budget_is_kept_over_restarts_and_told_in_points_and_events(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel, budget = Kernel(tmp_path), DataBudget(day_bytes=2_400_000)
    kernel.interface("usb0", 0, 0)
    kernel.route(ETH.replace("eth0", "usb0"))
    made = driver(kernel, budget)
    assert [point.name for point in made.points[-4:]] == [
        f"uplink/budget/{name}" for name in ("pace", "stride", "day-spent", "day-left")
    ]
    assert made.pace() == NOTHING_YET
    look(kernel, collector, run_until, made)
    assert made.pace() == FULL
    told = made.layouts[1].id
    assert collector.of(told)[-1].counts == [1, 1, 0, 2_400_000]
    kernel.interface("usb0", 200_000, 100_000)
    made = driver(kernel, budget)
    look(kernel, collector, run_until, made)
    assert collector.of(told)[-1].counts == [2, 4, 300_000, 2_100_000]
    assert made.pace() == Pace(4, backlog=False)
    kernel.interface("usb0", 200_000, 3_000_000)
    look(kernel, collector, run_until, driver(kernel, budget))
    assert collector.of(told)[-1].counts == [0, None, 3_200_000, 0]
    assert collector.of(told)[-1].flags == [(1, 16)]
    assert [event.kind for event in collector.events] == ["budget_thinning", "budget_spent"]
    kernel.route(ETH)
    made = driver(kernel, budget)
    look(kernel, collector, run_until, made)
    assert made.pace() == FULL
    assert [event.kind for event in collector.events][2:] == ["bearer_changed", "budget_full_rate"]


def test_layouts_count_in_the_steps_that_their_points_declare(tmp_path: Path) -> None:
    settings = NetworkDevice(
        name="uplink",
        root=str(tmp_path),
        modem=True,
        budget=DataBudget(day_bytes=100_000, month_bytes=1_000_000),
    )
    made = NetworkDriver(settings, Given(lambda: 0))
    steps = {point.name: point.exponent for point in made.points}
    assert len(steps) == 5 + 6 + 7
    for layout in made.layouts:
        assert layout.exponents == [steps[name] for name in layout.points]


def test_bytes_are_counted_where_the_kernel_cannot_be_understood(
    tmp_path: Path, collector: Any, run_until: Any
) -> None:
    kernel = Kernel(tmp_path)
    kernel.route("eth0\n")
    made = driver(kernel, DataBudget(day_bytes=100_000))
    assert asyncio.run(run_until(made, collector, lambda: False)) is not None
    assert made.pace().full
    made.carried(100_000)
    assert made.pace() == NOTHING_YET


def test_kernel_that_cannot_be_understood_is_said(tmp_path: Path, collector: Any, run_until: Any) -> None:
    kernel = Kernel(tmp_path)
    kernel.route("eth0\n")
    ended = asyncio.run(run_until(driver(kernel), collector, lambda: False))
    assert (ended.cause, ended.reason) == (GapCause.GATEWAY, "route 'eth0': expected at least 8 fields")


def test_probe_says_what_carries_the_uplink(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    (line,) = asyncio.run(driver(kernel).probe())
    assert (line.ok, line.answer) == (True, "ethernet eth0")
    kernel.route()
    (line,) = asyncio.run(driver(kernel).probe())
    assert (line.ok, line.answer) == (False, "none")
    (tmp_path / "proc/net/route").unlink()
    (line,) = asyncio.run(driver(kernel).probe())
    assert not line.ok


def test_sample_is_right() -> None:
    sample = Path(__file__).parents[4] / "edge/drivers/network/sample.toml"
    (table,) = tomllib.loads(sample.read_text())["device"]
    settings, faults = check(table, NetworkDevice)
    assert faults == []
    assert settings is not None
    assert settings.mobile == ["usb0"]
    _, faults = check({**table, "mobile": ["usb0", "usb0"]}, NetworkDevice)
    assert [fault.path for fault in faults] == ["mobile[1]"]
