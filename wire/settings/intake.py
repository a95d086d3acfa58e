"""Settings of what devices on the gateway's own LAN send by themselves: where it listens, and to whom.

Keys never stand here: each sender's is in the file `<data>/<device>/<sender>.key`. This module reads no file.
"""

import ipaddress
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from wire.settings.base import Fault, Host, Port, Settings

SenderName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)", description="1 to 32 characters of a-z, 0-9, '-'"),
]
UrlPath = Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~/-]{0,100}$(?!\n)")]


class HttpIntake(Settings, frozen=True, kw_only=True):
    """One HTTP server on one address of the gateway."""

    address: Annotated[str, Meta(max_length=64)]
    """An address of the interface that the devices are on, for example `192.168.20.1`."""
    port: Port
    path: UrlPath = "/"
    every_interface: bool = False
    """Whether `address` may be one that means all interfaces, or one that is not of a LAN."""
    peers: list[Annotated[str, Meta(max_length=64)]] = field(default_factory=list)
    """Networks that may connect, as `192.168.20.0/24`; those of LANs when empty."""
    body_max_kb: Annotated[int, Meta(ge=1, le=4096)] = 64
    connections_max: Annotated[int, Meta(ge=1, le=256)] = 32
    timeout_s: Annotated[float, Meta(ge=1, le=120)] = 10.0
    """How long a request may take to come, and a connection may be idle."""

    def faults(self) -> Iterator[Fault]:
        """An address that is none, or one beyond the LAN that nobody asked for."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            yield Fault("address", self.address, "an address of an interface, as 192.168.20.1")
        else:
            if not is_lan(address) and not self.every_interface:
                yield Fault("address", self.address, "an address on a LAN, or every_interface = true")
        for index, peer in enumerate(self.peers):
            try:
                ipaddress.ip_network(peer)
            except ValueError:
                yield Fault(f"peers[{index}]", peer, "a network, as 192.168.20.0/24")


def is_lan(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of a LAN or of this machine, and of one interface only."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return (address.is_private or address.is_link_local) and not address.is_unspecified


class MqttIntake(Settings, frozen=True, kw_only=True):
    """A broker on the LAN that sensors publish to."""

    host: Host
    port: Port = 1883
    topics: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(min_length=1)]
    """Topic filters, as `sensors/+/senml`."""
    user: Annotated[str, Meta(max_length=64)] = ""
    """Its password is in `<data>/<device>/mqtt.key`."""
    keepalive_s: Annotated[int, Meta(ge=5, le=300)] = 30
    timeout_s: Annotated[float, Meta(ge=1, le=120)] = 10.0
    body_max_kb: Annotated[int, Meta(ge=1, le=4096)] = 64


class Sender(Settings, frozen=True, kw_only=True):
    """One device that may post."""

    name: SenderName
    auth: Literal["token", "hmac"] = "token"
    """`token`: it sends its key (bearer or basic); `hmac`: it signs each request, which works once."""
    per_minute: Annotated[int, Meta(ge=1, le=60_000)] = 120
    """Requests it may send in a minute; so many may also come at once."""
