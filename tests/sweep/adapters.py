"""Every driver of the gateway with its far end; `MEANINGLESS` says which faults a far end cannot have."""

from collections.abc import Awaitable, Callable, Mapping

from tests.sweep import boards, daemons, lan, lines
from tests.sweep.fitting import Fitted, Site

Adapter = Callable[[Site], Awaitable[Fitted]]

ADAPTERS: Mapping[str, tuple[str, Adapter]] = {
    "modbus": ("modbus", lines.modbus),
    "modbus-rtu": ("modbus-rtu", lines.modbus_rtu),
    "instrument": ("instrument", lines.instrument),
    "osdp": ("osdp", lines.osdp),
    "gnss": ("gnss", daemons.gnss),
    "ups": ("ups", daemons.ups),
    "ble": ("ble", daemons.ble),
    "camera": ("camera", daemons.camera),
    "network": ("network", boards.network),
    "sysfs": ("sysfs", boards.sysfs),
    "gpio": ("gpio", boards.gpio),
    "wiegand": ("wiegand", boards.wiegand),
    "terminal": ("terminal", lan.terminal),
    "senml-http": ("senml", lan.senml_http),
    "senml-mqtt": ("senml", lan.senml_mqtt),
}
"""Name in the sweep -> the word behind `driver`, and what starts its far end."""

MEANINGLESS: Mapping[tuple[str, str], str] = {
    ("network", "slow"): "the kernel answers out of its own memory: a look at it waits for nobody",
}
"""(name, fault) -> why the far end cannot have it."""
