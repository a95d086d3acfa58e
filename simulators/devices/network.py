"""The network interfaces of a gateway: a folder with the parts of /proc and /sys that tell of the uplink.

The first interface that is not down carries the default route, so the next one takes over from it.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from simulators.scenario import Bearer
from simulators.world import wander

Fault = Literal["", "first_down", "all_down"]
FOLLOW_S = 1.0
INTERFACES: dict[Bearer, tuple[str, str]] = {
    "ethernet": ("eth0", ""),
    "wifi": ("wlan0", "DEVTYPE=wlan\n"),
    "mobile": ("wwan0", "DEVTYPE=wwan\n"),
}
"""What the kernel calls each, and says in its uevent."""
SENT_PER_S, RECEIVED_PER_S = 2600, 700
COUNTED_FROM_S = 1_767_225_600
"""When the machine was switched on: 2026-01-01."""
_ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
_WIRELESS = (
    "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
    " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
)


@dataclass(slots=True)
class Uplink:
    """The interfaces of one machine. `fault` may be switched at any time."""

    root: Path
    bearers: Sequence[Bearer]
    key: str
    utc_s: Callable[[], float]
    fault: Fault = ""

    def update(self) -> None:
        """Make the folder say what is true now."""
        now_s = self.utc_s()
        self._write("proc/sys/kernel/random/boot_id", f"{self._boot()}\n")
        self._write("proc/net/route", _ROUTES + "".join(self._routes()))
        self._write("proc/net/wireless", _WIRELESS + self._wireless(now_s))
        up = self._up()
        for bearer in self.bearers:
            name, kind = INTERFACES[bearer]
            folder = f"sys/class/net/{name}"
            carried_s = int(now_s - COUNTED_FROM_S) if bearer in up[:1] else 0
            self._write(f"{folder}/uevent", f"{kind}INTERFACE={name}\n")
            self._write(f"{folder}/statistics/tx_bytes", f"{carried_s * SENT_PER_S}\n")
            self._write(f"{folder}/statistics/rx_bytes", f"{carried_s * RECEIVED_PER_S}\n")

    def _up(self) -> Sequence[Bearer]:
        return {"": self.bearers, "first_down": self.bearers[1:], "all_down": ()}[self.fault]

    def _routes(self) -> list[str]:
        return [
            f"{INTERFACES[bearer][0]}\t00000000\t010200C0\t0003\t0\t0\t{100 * place}\t00000000\t0\t0\t0\n"
            for place, bearer in enumerate(self._up(), start=1)
        ]

    def _wireless(self, now_s: float) -> str:
        level = round(-57 + 8 * wander(f"{self.key}/level", now_s, 60))
        return f" wlan0: 0000   54.  {level}.  -256        0      0      0      0     12        0\n"

    def _boot(self) -> UUID:
        return UUID(bytes=hashlib.sha256(self.key.encode()).digest()[:16])

    def _write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(".new")
        new.write_text(text, encoding="ascii")
        new.replace(file)


@asynccontextmanager
async def interfaces(uplink: Uplink) -> AsyncIterator[None]:
    """Keep the folder in step with the truth while the context is open."""
    uplink.update()

    async def follow() -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            uplink.update()

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        try:
            yield
        finally:
            following.cancel()
