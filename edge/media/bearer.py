"""Which link carries the default route now; asked only where the settings leave one out."""

from collections.abc import Collection
from pathlib import Path

from edge.drivers.network.decode import NetworkError, bearer_of, default_interface
from wire.settings.media import Bearer

_BEARERS: tuple[Bearer, ...] = ("ethernet", "wifi", "mobile", "other")


def may_use(allowed: Collection[Bearer], *, mobile: Collection[str], root: Path = Path("/")) -> bool:
    """Whether the link of now is one of these; one that nobody can name counts as `other`."""
    if all(one in allowed for one in _BEARERS):
        return True
    try:
        interface = default_interface((root / "proc/net/route").read_text(encoding="ascii", errors="replace"))
        file = root / "sys/class/net" / (interface or "") / "uevent"
        uevent = file.read_text(encoding="ascii", errors="replace") if interface else ""
        word = bearer_of(interface, uevent, mobile=mobile).name.lower()
    except (OSError, NetworkError):
        word = "other"
    return word in allowed
