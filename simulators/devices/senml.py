"""A sensor that sends SenML: it reads a truth, keeps what it could not send, and posts or publishes packs.

It has no clock unless it is told one: without, its times count back from now, as RFC 8428 has it.
"""

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from paho.mqtt import publish

from simulators.devices.terminal import Terminal

if TYPE_CHECKING:
    from paho.mqtt.publish import AuthParameter

Fault = Literal["", "garbage", "slow", "silence", "future", "unit"]
Truth = Callable[[str], float]
UNITS = {"temperature": "Cel", "relative_humidity": "%RH", "pressure": "Pa"}
FUTURE_S = 86_400
logging.getLogger("paho.mqtt.client").setLevel(logging.CRITICAL)
"""After each pack it says as an error that it is not connected any more, which is what it was asked for."""


@dataclass(slots=True)
class Sensor:
    """One sensor with several quantities; `name` is its base name."""

    name: str
    truth: Truth
    quantities: tuple[str, ...] = ("temperature", "relative_humidity")
    seed: int = 1
    utc_s: Callable[[], float] | None = None
    """Its clock, if it has one."""
    login: "AuthParameter | None" = None
    """User and password at the broker."""
    fault: Fault = ""
    sent: list[tuple[str, str]] = field(default_factory=list)
    """(quantity, number as written) of everything that went into a pack."""
    _kept: list[tuple[float, dict[str, str]]] = field(default_factory=list)

    def measure(self, now_s: float) -> None:
        """Take a reading; `now_s` is any steady time."""
        rng = random.Random(f"{self.seed}/{self.name}/{len(self.sent)}/{len(self._kept)}")
        readings = {one: f"{self.truth(one) + rng.gauss(0, 0.01):.2f}" for one in self.quantities}
        self._kept.append((now_s, readings))

    def pack(self, now_s: float) -> bytes:
        """Return what was measured since the last pack, with the digits as they are displayed."""
        kept, self._kept = self._kept, []
        if self.fault == "garbage":
            return random.Random(self.seed).randbytes(100)
        records: list[str] = []
        base = f'"bn":{json.dumps(self.name + ":")}'
        if self.utc_s is not None:
            base += f',"bt":{self.utc_s() + (FUTURE_S if self.fault == "future" else 0):.3f}'
        for at_s, readings in kept:
            for quantity, number in readings.items():
                unit = "furlong" if self.fault == "unit" else UNITS[quantity]
                age = f',"t":{at_s - now_s:.3f}' if now_s - at_s >= 0.001 else ""
                head = "" if records else base + ","
                records.append(f'{{{head}"n":"{quantity}","u":"{unit}"{age},"v":{number}}}')
                self.sent.append((quantity, number))
        return f"[{','.join(records)}]".encode()

    async def post(self, to: Terminal, now_s: float) -> int:
        """Post what was measured with the plain HTTP of a small device; return the answer's status."""
        if self.fault == "silence":
            return 0
        to.fault = "slow" if self.fault == "slow" else ""
        return await to.send(self.pack(now_s), "application/senml+json")

    async def publish(self, port: int, topic: str, now_s: float, *, retain: bool = False) -> None:
        """Publish what was measured to the broker on this machine."""
        if self.fault == "silence":
            return
        await asyncio.to_thread(
            publish.single,
            topic,
            self.pack(now_s),
            qos=1,
            retain=retain,
            hostname="127.0.0.1",
            port=port,
            client_id=f"sensor-{self.seed}",
            auth=self.login,
        )
