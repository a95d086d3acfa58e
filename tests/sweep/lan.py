"""Adapters of drivers to which devices on the LAN send by themselves: terminals and SenML sensors."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from simulators.devices.lan_broker import lan_broker
from simulators.devices.senml import Sensor
from simulators.devices.terminal import MODES, Terminal
from simulators.processes import free_port
from tests.sweep.fitting import Fault, Fitted, Site, goes_on, only, proxy, silent
from wire.settings.intake import HttpIntake, MqttIntake, Sender
from wire.settings.senml import SenmlDevice, SenmlValue
from wire.settings.terminal import TerminalDevice, TerminalMap
from wire.status import GapCause

SEND_S = 0.25
CELSIUS = 21.37
QUIET = silent(GapCause.SENSOR)


def write_key(folder: Path, name: str) -> str:
    """Write and return the key of a sender."""
    folder.mkdir(mode=0o700, exist_ok=True)
    key = hashlib.sha256(name.encode()).hexdigest()[:43]
    file = folder / f"{name}.key"
    file.touch(mode=0o600)
    file.write_text(key + "\n", encoding="ascii")
    return key


def http(port: int, path: str) -> HttpIntake:
    return HttpIntake(address="127.0.0.1", port=port, path=path, timeout_s=1.0)


def senders(name: str) -> list[Sender]:
    return [Sender(name=name, auth="hmac", per_minute=6000)]


async def _again(send: Callable[[], Awaitable[object]], quiet: asyncio.Event) -> None:
    while True:
        await asyncio.sleep(SEND_S)
        if not quiet.is_set():
            await send()


async def terminal(site: Site) -> Fitted:
    port, quiet = free_port(), asyncio.Event()
    one = Terminal("entrance", port, write_key(site.folder / "terminals", "entrance"), signs=True)
    await site.live(_again(one.heartbeat, quiet))
    pointers = TerminalMap(
        person="/info/userId", event="/eventType", events=["verify"], factor="/info/verifyMode",
        factors={str(number): mode for mode, number in MODES.items()},
    )  # fmt: skip
    device = TerminalDevice(
        name="terminals",
        prefix="terminal",
        http=http(port, "/events"),
        sender=senders("entrance"),
        map=pointers,
        silence_s=1,
    )

    def switch(fault: str) -> None:
        one.fault = fault

    faults = {
        "garbage": Fault(QUIET, lambda: switch("garbage"), lambda: switch("")),
        "silence": Fault(QUIET, quiet.set, quiet.clear),
        "slow": Fault(goes_on, lambda: switch("slow"), lambda: switch("")),
        "reset": Fault(QUIET, lambda: switch("truncated"), lambda: switch("")),
    }
    return Fitted(
        device, faults, lambda poll: poll.counts[0] is not None and poll.counts[0] > 0, every_s=SEND_S
    )


def values(name: str) -> list[SenmlValue]:
    return [
        SenmlValue(
            name=f"{name}:temperature", point="air", quantity="temperature", step=Decimal("0.1"), silence_s=1
        )
    ]


class Exactly(Sensor):
    """A sensor without noise."""

    def measure(self, now_s: float) -> None:
        self._kept.append((now_s, {"temperature": str(CELSIUS)}))


async def senml_http(site: Site) -> Fitted:
    port, quiet = free_port(), asyncio.Event()
    sensor = Exactly("room-1", lambda _: CELSIUS, quantities=("temperature",))
    line = Terminal("station", port, write_key(site.folder / "station", "station"), path="/senml", signs=True)
    loop = asyncio.get_running_loop()

    async def send() -> None:
        sensor.measure(loop.time())
        await line.send(sensor.pack(loop.time()), "application/senml+json")

    await site.live(_again(send, quiet))
    device = SenmlDevice(
        name="station",
        prefix="roof",
        http=http(port, "/senml"),
        sender=senders("station"),
        value=values("room-1"),
    )

    def switch(fault: str) -> None:
        sensor.fault = "garbage" if fault == "garbage" else ""
        line.fault = "" if fault == "garbage" else fault

    faults = {
        "garbage": Fault(QUIET, lambda: switch("garbage"), lambda: switch("")),
        "silence": Fault(QUIET, quiet.set, quiet.clear),
        "slow": Fault(goes_on, lambda: switch("slow"), lambda: switch("")),
        "reset": Fault(QUIET, lambda: switch("truncated"), lambda: switch("")),
    }
    return Fitted(device, faults, only(2137), every_s=SEND_S)


async def senml_mqtt(site: Site) -> Fitted:
    quiet = asyncio.Event()
    broker = await site.stack.enter_async_context(lan_broker(site.place("broker")))
    line = await site.stack.enter_async_context(proxy(broker))
    sensor = Exactly("room-2", lambda _: CELSIUS, quantities=("temperature",))
    loop = asyncio.get_running_loop()

    async def send() -> None:
        sensor.measure(loop.time())
        await sensor.publish(broker, "room-2/senml", loop.time())

    await site.live(_again(send, quiet))
    device = SenmlDevice(
        name="rooms",
        prefix="rooms",
        mqtt=MqttIntake(host="127.0.0.1", port=line.port, topics=["+/senml"], timeout_s=1.0),
        value=values("room-2"),
    )

    def switch(fault: str) -> None:
        sensor.fault = fault

    faults = {
        "garbage": Fault(QUIET, lambda: switch("garbage"), lambda: switch("")),
        "silence": Fault(QUIET, quiet.set, quiet.clear),
        "slow": Fault(QUIET, line.switch("slow"), line.switch("")),
        "reset": Fault(silent(GapCause.BUS), line.cut),
    }
    return Fitted(device, faults, only(2137), every_s=SEND_S)
