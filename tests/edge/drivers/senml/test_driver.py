"""The driver against simulated sensors, over HTTP and through a real Mosquitto."""

import asyncio
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge.driver import Given
from edge.drivers.senml.driver import SenmlDriver
from edge.intake.senders import read_key
from simulators.devices.lan_broker import lan_broker
from simulators.devices.senml import Sensor
from simulators.devices.terminal import Terminal
from simulators.processes import free_port
from wire.messages import Clock
from wire.settings.check import check
from wire.settings.intake import HttpIntake, MqttIntake, Sender
from wire.settings.senml import SenmlDevice, SenmlValue
from wire.status import ClockState, GapCause, Status

BASE = "urn:dev:ow:10e2073a01080063"
TRUTH = {"temperature": 21.37, "relative_humidity": 44.2, "pressure": 101_325.0}


def values(silence_s: int = 0) -> list[SenmlValue]:
    return [
        SenmlValue(
            name=f"{BASE}:{quantity}",
            point=quantity,
            quantity=quantity,
            step=Decimal("0.01"),
            silence_s=silence_s,
        )
        for quantity in ("temperature", "relative_humidity")
    ]


def known_time() -> Clock:
    offset = (time.time_ns() - time.monotonic_ns()) // 10_000_000
    return Clock(ClockState.SYNCHRONISED, offset, 1, "test")


def given(folder: Path, clock: Callable[[], Clock] = known_time) -> Given:
    return Given(time.monotonic_ns, folder, clock)


@asynccontextmanager
async def posting(
    folder: Path, collector: Any, *, clock: Callable[[], Clock] = known_time, silence_s: int = 0, **more: Any
) -> AsyncIterator[tuple[SenmlDriver, Terminal]]:
    port = free_port()
    settings = SenmlDevice(
        name="station",
        prefix="roof",
        http=HttpIntake(address="127.0.0.1", port=port, path="/senml", timeout_s=2.0),
        sender=[Sender(name="station", auth="hmac")],
        value=values(silence_s),
        **more,
    )
    driver = SenmlDriver(settings, given(folder, clock))
    running = asyncio.ensure_future(driver.run(collector))
    key = read_key(folder / "station", "station").decode()
    line = Terminal("station", port, key, path="/senml", signs=True)
    async with asyncio.timeout(45):
        while await line.send(b"", "application/senml+json") != 400:
            assert not running.done(), running.result()
            await asyncio.sleep(0.01)
    try:
        yield driver, line
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def sensor(**more: Any) -> Sensor:
    return Sensor(BASE, TRUTH.__getitem__, **more)


def counts(driver: SenmlDriver, collector: Any, point: str) -> list[int | None]:
    layout = next(one.id for one in driver.layouts if one.points == [point])
    return [poll.counts[0] for poll in collector.of(layout)]


def kinds(collector: Any) -> list[str]:
    return [event.kind for event in collector.events]


@pytest.mark.requirement("G-3.6", "G-6.9c1")
def test_posted_digits_arrive_exactly(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector) as (driver, line):
            one = sensor()
            one.measure(0.0)
            assert await one.post(line, 0.0) == 204
            (temperature, humidity) = (number for _, number in one.sent)
            assert counts(driver, collector, "roof/temperature") == [int(Decimal(temperature) * 1000)]
            assert counts(driver, collector, "roof/relative_humidity") == [int(Decimal(humidity) * 1000)]
            assert collector.kept["counter/station"] == str(line.counter).encode()

    asyncio.run(scenario())


def test_kept_readings_stand_at_their_own_times(collector: Any, tmp_path: Path) -> None:
    """The first pack ends a silence: only its youngest record could be too early for that."""

    async def scenario() -> None:
        async with posting(tmp_path, collector) as (driver, line):
            for clock in (None, time.time):
                one = sensor(utc_s=clock)
                for at_s in (0.0, 10.0, 20.0):
                    one.measure(at_s)
                collector.polls.clear()
                now = time.monotonic_ns() // 10_000_000
                assert await one.post(line, 20.0) == 204
                layout = driver.layouts[0].id
                found = sorted(poll.tick - now for poll in collector.of(layout))
                assert [round(tick / 100) for tick in found] == [-20, -10, 0]
            assert "record_time_unused" not in kinds(collector)

    asyncio.run(scenario())


def test_time_that_cannot_be_believed_is_told_once(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector) as (_, line):
            one = sensor(utc_s=time.time, quantities=("temperature",), fault="future")
            for _ in range(2):
                one.measure(0.0)
                assert await one.post(line, 0.0) == 204
            found = [event for event in collector.events if event.kind == "record_time_unused"]
            assert [(event.subject, event.data["reason"]) for event in found] == [
                ("roof/temperature", "further ahead than future_max_s")
            ]
            now = time.monotonic_ns() // 10_000_000
            assert all(now - 500 <= poll.tick <= now for poll in collector.polls)

    asyncio.run(scenario())


def test_gateway_without_time_puts_records_at_their_arrival(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        nobody = Clock(ClockState.UNSYNCHRONISED)
        async with posting(tmp_path, collector, clock=lambda: nobody) as (_, line):
            one = sensor(utc_s=time.time, quantities=("temperature",))
            one.measure(0.0)
            assert await one.post(line, 0.0) == 204
            assert collector.events[-1].data == {"reason": "the gateway does not know the time"}

    asyncio.run(scenario())


def test_record_that_ends_a_silence_is_not_placed_before_it(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector) as (_, line):
            one = sensor(quantities=("temperature",))
            one.measure(0.0)
            now = time.monotonic_ns() // 10_000_000
            assert await one.post(line, 60.0) == 204
            assert collector.polls[-1].tick >= now - 200
            assert collector.events[-1].data == {"reason": "before the silence that it ends"}

    asyncio.run(scenario())


def test_names_that_nobody_mapped_are_candidates(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector) as (_, line):
            one = sensor(quantities=("pressure", "temperature"))
            for _ in range(2):
                one.measure(0.0)
                await one.post(line, 0.0)
            found = [event for event in collector.events if event.kind == "candidate_seen"]
            assert [(event.subject, event.data) for event in found] == [
                (f"{BASE}:pressure", {"device": "station", "unit": "Pa", "sender": "station"})
            ]

    asyncio.run(scenario())


def test_faulty_packs_are_refused_told_and_recovered_from(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector) as (driver, line):
            one = sensor(fault="garbage")
            assert await one.post(line, 0.0) == 400
            await collector.until(lambda: "intake_refused" in kinds(collector))
            one.fault = "unit"
            one.measure(0.0)
            assert await one.post(line, 0.0) == 204
            assert collector.polls[-1].counts == [None]
            assert collector.polls[-1].flags == [(0, Status.INVALID)]
            assert [event.data["reason"] for event in collector.events if event.kind == "record_unfit"] == [
                "unit furlong: not one of temperature",
                "unit furlong: not one of relative_humidity",
            ]
            one.fault = "slow"
            one.measure(0.0)
            assert await one.post(line, 0.0) in (0, 204)
            one.fault = ""
            one.measure(0.0)
            assert await one.post(line, 0.0) == 204
            assert counts(driver, collector, "roof/temperature")[-1] is not None

    asyncio.run(scenario())


def test_sensor_that_stops_is_silent_and_comes_back(collector: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with posting(tmp_path, collector, silence_s=1) as (driver, line):
            one = sensor(quantities=("temperature",))
            await collector.until(lambda: len(collector.silences) == 2)
            assert collector.silences[0] == (("roof/temperature",), GapCause.SENSOR, "no record for 1 s")
            one.measure(0.0)
            assert await one.post(line, 0.0) == 204
            await collector.until(lambda: len(collector.silences) == 3)
            assert len(counts(driver, collector, "roof/temperature")) == 1

    asyncio.run(scenario())


# --- MQTT -------------------------------------------------------------------------------------------


def listening(port: int, folder: Path, **more: Any) -> SenmlDriver:
    settings = SenmlDevice(
        name="sensors",
        prefix="rooms",
        mqtt=MqttIntake(host="127.0.0.1", port=port, topics=["sensors/+/senml"], timeout_s=2.0, **more),
        value=values(),
    )
    return SenmlDriver(settings, given(folder))


@pytest.mark.slow
@pytest.mark.requirement("G-3.6", "G-6.9c1")
def test_published_digits_arrive_exactly_and_the_broker_may_go(
    collector: Any, run_until: Any, insist: Any, daemon_folder: Path
) -> None:
    async def scenario() -> None:
        port = free_port()
        driver = listening(port, daemon_folder)
        error = await run_until(driver, collector, lambda: False)
        assert error.reason.startswith(f"broker 127.0.0.1 port {port}: ")
        assert error.cause is GapCause.BUS
        one = sensor()
        async with lan_broker(daemon_folder, port=port):
            assert (await driver.probe())[0].ok
            old = sensor(quantities=("temperature",))
            old.measure(0.0)
            await old.publish(port, "sensors/1/senml", 0.0, retain=True)
            running = asyncio.ensure_future(driver.run(collector))
            await collector.until(lambda: "intake_refused" in kinds(collector))
            assert collector.events[0].data["reason"] == "retained: nobody knows how old it is"
            one.measure(0.0)
            await one.publish(port, "sensors/2/senml", 0.0)
            await collector.until(lambda: len(collector.polls) == 2)
            expected = [int(Decimal(number) * 1000) for _, number in one.sent]
            assert [poll.counts[0] for poll in collector.polls] == expected
            one.fault = "garbage"
            await one.publish(port, "sensors/2/senml", 0.0)
            one.fault = ""
            one.measure(0.0)
            await one.publish(port, "sensors/2/senml", 0.0)
            await collector.until(lambda: len(collector.polls) == 4)
        done, _ = await asyncio.wait({running}, timeout=10)
        assert done
        assert "the broker was lost" in str(running.exception())
        assert not (await driver.probe())[0].ok
        async with lan_broker(daemon_folder, port=port), asyncio.TaskGroup() as tasks:
            again = tasks.create_task(insist(driver, collector, lambda: len(collector.polls) == 6))
            while not again.done():
                one.measure(0.0)
                await one.publish(port, "sensors/2/senml", 0.0)
                await asyncio.sleep(0.2)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(scenario())


@pytest.mark.slow
def test_broker_with_users_wants_the_password(
    collector: Any, run_until: Any, insist: Any, daemon_folder: Path
) -> None:
    async def scenario() -> None:
        async with lan_broker(daemon_folder, users={"gateway": "secret-word"}) as port:
            driver = listening(port, daemon_folder, user="gateway")
            error = await run_until(driver, collector, lambda: False)
            assert error.reason == "mqtt.key: No such file or directory"
            folder = daemon_folder / "sensors"
            folder.mkdir()
            key = folder / "mqtt.key"
            key.write_text("wrong-word\n")
            key.chmod(0o600)
            error = await run_until(driver, collector, lambda: False)
            assert "uthori" in error.reason
            key.write_text("secret-word\n")
            assert (await driver.probe())[0].ok

    asyncio.run(scenario())


def test_samples_are_right() -> None:
    sample = Path(__file__).parents[4] / "edge/drivers/senml/sample.toml"
    for table in tomllib.loads(sample.read_text("utf-8"))["device"]:
        assert check(table, SenmlDevice)[1] == []
