"""Settings of the panel: a page that the gateway itself serves, for a small screen beside the door."""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from msgspec import Meta, field

from wire.settings.base import Fault, Port, Settings
from wire.settings.intake import is_lan
from wire.settings.portal import readers_of

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class PanelSection(Settings, frozen=True, kw_only=True):
    """Where the page is served and what it shows. Absent: there is none."""

    address: Annotated[str, Meta(max_length=64)] = "127.0.0.1"
    """An address of the gateway. Only on 127.0.0.1 is it certain that nobody else reaches the page."""
    port: Port = 8090
    every_interface: bool = False
    """Whether `address` may be one that means all interfaces, or one that is not of a LAN."""
    peers: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=16)] = field(
        default_factory=list
    )
    """Addresses or networks that may connect where the address is not of this machine alone."""
    hosts: Annotated[list[Annotated[str, Meta(min_length=1, max_length=253)]], Meta(max_length=8)] = field(
        default_factory=list
    )
    """Names by which browsers may call the page, beside its address."""
    title: Annotated[str, Meta(max_length=60)] = ""
    """Of the page; the gateway's id when empty."""
    language: Literal["zh", "en"] = "zh"
    """In which the page begins; everybody can change it there."""
    interlocks: Annotated[list[Name], Meta(max_length=64)] = field(default_factory=list)
    """Which to show; all when empty."""
    portals: Annotated[list[Name], Meta(max_length=64)] = field(default_factory=list)
    """Which doors to show; all when empty."""
    roll_call: bool = True
    """Whether the page says who is inside."""
    reader: Name | None = None
    """Subject of the reader at which cards are shown for it; absent: the page shows, and takes nothing."""
    card_s: Annotated[float, Meta(ge=5, le=120)] = 30.0
    """So long after the card may the PIN be entered."""

    when_old: Literal["deny", "honour"] = "deny"
    """Whether people are known by rights past their age limit, or while nobody knows what time it is."""

    def faults(self) -> Iterator[Fault]:
        """An address that is none, one beyond the LAN that nobody asked for, one for everybody."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            yield Fault("address", self.address, "an address of the gateway, as 127.0.0.1")
            return
        if not is_lan(address) and not self.every_interface:
            yield Fault("address", self.address, "an address on a LAN, or every_interface = true")
        if not address.is_loopback and not self.peers:
            yield Fault("peers", [], "the addresses or networks that may connect")
        for index, peer in enumerate(self.peers):
            try:
                ipaddress.ip_network(peer)
            except ValueError:
                yield Fault(f"peers[{index}]", peer, "an address or a network, as 192.168.20.0/24")


def panel_faults(
    panel: PanelSection | None,
    *,
    interlocks: Iterable[str],
    portals: Iterable[str],
    devices: Iterable[object],
) -> Iterator[Fault]:
    """Yield interlocks, doors and a reader that the settings do not name elsewhere."""
    if panel is None:
        return
    yield from _unknown("panel.interlocks", panel.interlocks, set(interlocks), what="an interlock")
    yield from _unknown("panel.portals", panel.portals, set(portals), what="a portal")
    readers = readers_of(devices)
    if panel.reader is not None and panel.reader not in readers:
        expected = f"one of {', '.join(sorted(readers))}" if readers else "a device with a reader"
        yield Fault("panel.reader", panel.reader, expected)


def _unknown(path: str, names: Sequence[str], known: set[str], *, what: str) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name not in known:
            expected = f"one of {', '.join(sorted(known))}" if known else f"{what} of these settings"
            yield Fault(f"{path}[{index}]", name, expected)
