"""What a gateway takes over by a start alone, and what no revision may change so. Pure."""

from collections.abc import Sequence

from edge.reload import REST
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings
from wire.settings.shadow import OWN

RESTART = "a restart of the gateway to take it over"


def changed_rest(before: GatewaySettings, after: GatewaySettings) -> list[str]:
    """Return the sections that differ and are taken over by a start alone."""
    return [name for name in REST if getattr(before, name) != getattr(after, name)]


def restart_faults(before: GatewaySettings, after: GatewaySettings, rest: Sequence[str]) -> list[Fault]:
    """Return what no revision of the hub changes: who the gateway is, and how much evidence it keeps."""
    faults = [Fault(name, "changed", RESTART) for name in rest if name in OWN]
    for key in ("bytes_max", "age_max_d"):
        least, asked = getattr(before.journal, key), getattr(after.journal, key)
        if asked < least:
            expected = f"at least {least:.15g}, as in force: less would thin what was not sent yet"
            faults.append(Fault(f"journal.{key}", asked, expected))
    return faults
