"""What the kernel says about interfaces: decoded exactly, or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.network.decode import (
    Bearer,
    NetworkError,
    Sent,
    bearer_of,
    counter,
    default_interface,
    grown,
    wifi_level,
)

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
WLAN = "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
ETH = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
NET = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
DOWN = "usb0\t00000000\t010200C0\t0002\t0\t0\t1\t00000000\t0\t0\t0\n"
WIRELESS = """Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   54.  -56.  -256        0      0      0      0     12        0
 wlan1: 0000   54.   70.  -256        0      0      0      0     12        0
"""


def test_default_route_with_the_lowest_metric_carries_the_uplink() -> None:
    assert default_interface(HEAD + WLAN + ETH + NET + DOWN) == "eth0"
    assert default_interface(HEAD + WLAN + NET) == "wlan0"
    assert default_interface(HEAD + NET + DOWN) is None


@pytest.mark.parametrize("line", ["eth0\t0\n", "eth0\tx\tx\tx\tx\tx\tx\tx\n"])
def test_route_that_is_none_is_refused_by_name(line: str) -> None:
    with pytest.raises(NetworkError, match="route 'eth0"):
        default_interface(HEAD + line)


@pytest.mark.parametrize(
    ("interface", "uevent", "bearer"),
    [
        (None, "", Bearer.NONE),
        ("eth0", "INTERFACE=eth0\nIFINDEX=2\n", Bearer.ETHERNET),
        ("enp3s0", "", Bearer.ETHERNET),
        ("wlan0", "DEVTYPE=wlan\nINTERFACE=wlan0\n", Bearer.WIFI),
        ("wwan0", "DEVTYPE=wwan\n", Bearer.MOBILE),
        ("ppp0", "", Bearer.MOBILE),
        ("usb0", "DEVTYPE=gadget\n", Bearer.MOBILE),
        ("br0", "DEVTYPE=bridge\nnonsense\n", Bearer.OTHER),
    ],
)
def test_interface_is_known_by_what_the_kernel_calls_it(
    interface: str | None, uevent: str, bearer: Bearer
) -> None:
    assert bearer_of(interface, uevent, mobile=["usb0"]) is bearer


def test_level_is_told_in_dbm_or_not_at_all() -> None:
    assert wifi_level(WIRELESS, "wlan0") == -56
    assert wifi_level(WIRELESS, "wlan1") is None
    assert wifi_level(WIRELESS, "wlan2") is None
    with pytest.raises(NetworkError, match="third field"):
        wifi_level(WIRELESS + " wlan3: 0000\n", "wlan3")


def test_counters_grow_by_what_was_sent_and_begin_anew_with_their_interface() -> None:
    before = {"eth0": Sent(100, 200), "wlan0": Sent(50, 60)}
    assert grown(before, {"eth0": Sent(110, 230), "wlan0": Sent(50, 60)}) == Sent(10, 30)
    assert grown(before, {"eth0": Sent(7, 9)}) == Sent(7, 9)
    assert grown({}, {"eth0": Sent(7, 9)}) == Sent(7, 9)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "x", "9" * 20, "１２"])
def test_counter_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NetworkError, match="expected a whole number"):
        counter(text)


def test_counter_is_exact() -> None:
    assert counter("18446744073709551\n") == 18446744073709551


@given(st.text(max_size=300), st.text(max_size=20))
def test_nothing_but_the_named_error_comes_of_any_text(text: str, interface: str) -> None:
    for read in (
        lambda: default_interface(HEAD + text),
        lambda: wifi_level("\n\n" + text, interface),
        lambda: counter(text),
        lambda: bearer_of(interface, text, mobile=()),
    ):
        try:
            read()
        except NetworkError:
            continue
