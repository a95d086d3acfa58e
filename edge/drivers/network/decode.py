"""What the kernel says about its interfaces becomes readings; pure, it opens no file.

Sources: proc(5) (`/proc/net/route`, `/proc/net/wireless`), sysfs-class-net of the kernel's ABI documentation.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum

_UP = 0x1
_WIRELESS_HEAD = 2
COUNTER_MAX = 2**62


class NetworkError(ValueError):
    """The kernel said something that is not understood; the text says what was expected."""


class Bearer(IntEnum):
    """What carries the uplink."""

    NONE = 0
    ETHERNET = 1
    WIFI = 2
    MOBILE = 3
    OTHER = 4


BEARER_WORDS = {str(bearer.value): bearer.name.lower() for bearer in Bearer}


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes that an interface has sent and received since the kernel knows it."""

    sent: int
    received: int


def default_interface(routes: str) -> str | None:
    """Return the interface of the default route with the lowest metric; None when there is none.

    `routes` is `/proc/net/route`. Raises `NetworkError`.
    """
    best: tuple[int, str] | None = None
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8:
            raise NetworkError(f"route {line[:60]!r}: expected at least 8 fields")
        try:
            target, flags, metric, mask = (
                int(fields[1], 16),
                int(fields[3], 16),
                int(fields[6]),
                int(fields[7], 16),
            )
        except ValueError:
            raise NetworkError(f"route {line[:60]!r}: expected numbers") from None
        if target == 0 and mask == 0 and flags & _UP and (best is None or metric < best[0]):
            best = (metric, fields[0])
    return best[1] if best else None


def bearer_of(interface: str | None, uevent: str, *, mobile: Collection[str]) -> Bearer:
    """Return what an interface is; `uevent` is its file of that name, `mobile` names mobile links."""
    if interface is None:
        return Bearer.NONE
    if interface in mobile:
        return Bearer.MOBILE
    kind = dict(line.split("=", 1) for line in uevent.splitlines() if "=" in line).get("DEVTYPE", "")
    if kind == "wlan":
        return Bearer.WIFI
    if kind == "wwan" or interface.startswith(("wwan", "ppp")):
        return Bearer.MOBILE
    return Bearer.ETHERNET if interface.startswith(("eth", "en")) else Bearer.OTHER


def wifi_level(wireless: str, interface: str) -> int | None:
    """Return the signal level of an interface in dBm from `/proc/net/wireless`; None when it tells none.

    Drivers that give no dBm write a value from 0 on, which says nothing. Raises `NetworkError`.
    """
    for line in wireless.splitlines()[_WIRELESS_HEAD:]:
        name, colon, rest = line.partition(":")
        if not colon or name.strip() != interface:
            continue
        fields = rest.split()
        try:
            level = int(fields[2].rstrip("."))
        except (IndexError, ValueError):
            raise NetworkError(f"wireless {line[:60]!r}: expected a level in the third field") from None
        return level if level < 0 else None
    return None


def counter(text: str) -> int:
    """Return a counter of bytes; `NetworkError`."""
    if not text.strip().isascii() or not text.strip().isdigit() or len(text.strip()) > 19:
        raise NetworkError(f"counter {text[:30]!r}: expected a whole number")
    return int(text)


def grown(before: Mapping[str, Sent], now: Mapping[str, Sent]) -> Sent:
    """Return how much was sent and received between two looks, over all interfaces.

    A counter that is lower than before began anew, with the interface or the machine.
    """
    sent = received = 0
    for name, counts in now.items():
        known = before.get(name, Sent(0, 0))
        anew = counts.sent < known.sent or counts.received < known.received
        sent += counts.sent - (0 if anew else known.sent)
        received += counts.received - (0 if anew else known.received)
    return Sent(sent, received)
