"""The simulated BlueZ, looked at with bleak alone: what it sends, what it refuses, what its faults do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bleak import BleakScanner
from bleak.exc import BleakDBusError

from simulators.devices import adverts
from simulators.devices.bluez import Adapter, Air, Fault, Transmitter, bluetooth_service, message_bus

MAC = "CB:B8:33:4C:88:4F"
Heard = list[tuple[str, int, dict[int, bytes], dict[str, bytes]]]


@asynccontextmanager
async def there(patch: pytest.MonkeyPatch, air: Air) -> AsyncIterator[None]:
    with TemporaryDirectory(prefix="heng-test-") as folder:
        async with message_bus(Path(folder)) as address, bluetooth_service(air, address):
            patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            await asyncio.sleep(0.1)
            yield


def air_with(*sent: adverts.Advert, fault: Fault = "", loss: float = 0) -> Air:
    transmitters = [
        Transmitter(f"C0:00:00:00:00:{n:02X}", lambda advert=advert: advert, 0.05, rssi=-50 - n)  # type: ignore[misc]
        for n, advert in enumerate(sent)
    ]
    return Air({"hci0": Adapter("00:1A:7D:DA:71:00", fault=fault)}, transmitters, loss=loss)


async def listen(wait_s: float = 0.4) -> Heard:
    heard: Heard = []
    async with BleakScanner(
        lambda device, advert: heard.append(
            (device.address, advert.rssi, advert.manufacturer_data, advert.service_data)
        ),
        bluez={"adapter": "hci0"},
    ):
        await asyncio.sleep(wait_s)
    return heard


def test_what_is_sent_arrives_with_its_level(monkeypatch: pytest.MonkeyPatch) -> None:
    ruuvi, bthome = adverts.ruuvi(7, mac=MAC), adverts.bthome(b"\x01\x64")

    async def scenario() -> Heard:
        async with there(monkeypatch, air_with(ruuvi, bthome)):
            return await listen()

    heard = asyncio.run(scenario())
    assert ("C0:00:00:00:00:00", -50, dict(ruuvi.manufacturer), {}) in heard
    assert ("C0:00:00:00:00:01", -51, {}, dict(bthome.service)) in heard
    assert len(heard) > 8


@pytest.mark.parametrize(
    ("fault", "name"), [("in_progress", "InProgress"), ("not_ready", "NotReady"), ("failed", "Failed")]
)
def test_refusals_are_those_of_bluez(fault: Fault, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with there(monkeypatch, air_with(fault=fault)):
            await listen()

    with pytest.raises(BaseExceptionGroup) as caught:
        asyncio.run(scenario())
    error = caught.value.exceptions[0]
    assert isinstance(error, BleakDBusError)
    assert error.dbus_error == f"org.bluez.Error.{name}"


Check = Callable[[Heard], bool]


@pytest.mark.parametrize(
    ("fault", "loss", "right"),
    [
        ("deaf", 0.0, lambda heard: heard == []),
        ("empty", 0.0, lambda heard: heard and all(one[2:] == ({}, {}) for one in heard)),
        ("", 0.5, lambda heard: 0 < len(heard) < 8),
    ],
)
def test_faults_of_the_air(fault: Fault, loss: float, right: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> Heard:
        async with there(monkeypatch, air_with(adverts.phone(), fault=fault, loss=loss)):
            return await listen()

    heard = asyncio.run(scenario())
    assert right(heard), heard


def test_sealed_data_are_what_the_published_vector_says() -> None:
    key = bytes.fromhex("231d39c1d7cc1ab1aee224cd096db932")
    sealed = adverts.sealed_bthome(
        bytes.fromhex("02ca0903bf13"), key=key, counter=0x33221100, mac="54:48:E6:8F:80:A5"
    )
    assert sealed.service[adverts.BTHOME].hex() == "41a47266c95f730011223378237214"
