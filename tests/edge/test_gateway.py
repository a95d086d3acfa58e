"""The real `heng edge` process against a real broker, a simulated Modbus unit and a hub that only acks."""

import asyncio
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.acker import Acker, Arrival
from benchmarks.edge import Load, simulated, unit
from cli.embedded.mosquitto import EmbeddedMosquitto
from cli.embedded.processes import free_port
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from simulators.devices.modbus import modbus_server
from tests.edge.gateway_site import Site, ended, once, until, watched
from wire import frame
from wire.codec import decode_body, encode_body
from wire.messages import Ack, AckRange, Gap, GatewayStatus, Points
from wire.status import GapCause
from wire.topics import Channel, build

LOAD = Load(units=1, points=4, interval_ms=200)
pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-3.6")]


class GatewaySite(Site):
    """What the tests here ask of a site besides."""

    def write_settings(
        self, ports: list[int], *, port: int | None = None, uplink: str = "", load: Load = LOAD
    ) -> None:
        self.write(ports, load=load, port=port, uplink=uplink, more="")

    def sealed_rows(self) -> int:
        return self._counted("SELECT count(*) FROM sealed")

    def pending_readings(self) -> int:
        return self._counted("SELECT coalesce(sum(readings), 0) FROM pending")

    def _counted(self, question: str) -> int:
        """Zero as well while the gateway has not made its journal."""
        journal = self.folder / "data" / "journal.db"
        if not journal.exists():
            return 0
        with closing(sqlite3.connect(journal)) as connection, suppress(sqlite3.OperationalError):
            return int(connection.execute(question).fetchone()[0])
        return 0


@pytest.fixture
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    broker: EmbeddedMosquitto,
    hub_identity: HubIdentity,
    gateway_identity: Callable[[str], GatewayIdentity],
) -> Iterator[GatewaySite]:
    name = re.sub("[^a-z0-9]+", "-", request.node.name)[-50:].strip("-")
    with ended(GatewaySite(tmp_path, broker, hub_identity, gateway_identity(name))) as site:
        yield site


def ticks(arrivals: list[Arrival]) -> list[int]:
    """Absolute ticks of all polls, each as often as it would be stored."""
    return sorted(a.batch.base_tick + poll.tick for a in once(arrivals) for poll in a.batch.polls)


def gaps(arrivals: list[Arrival]) -> list[Gap]:
    found = []
    for arrival in once(arrivals):
        base = arrival.batch.base_tick
        for gap in arrival.batch.gaps:
            start = None if gap.from_tick is None else gap.from_tick + base
            end = None if gap.to_tick is None else gap.to_tick + base
            found.append(Gap(gap.point, gap.cause, start, end, gap.reason))
    return found


def test_killed_gateway_sends_what_it_had_and_tells_the_gap(site: GatewaySite) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > 10)
            acker.answering = False
            await asyncio.sleep(2)
            process.kill()
            process.wait()
            acker.answering = True
            before = len(ticks(acker.arrivals))
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > before + 10)
            site.stop(process)
        stored = ticks(acker.arrivals)
        assert len(stored) == len(set(stored))
        told = [gap for gap in gaps(acker.arrivals) if gap.cause is GapCause.GATEWAY]
        assert {gap.point for gap in told} == {f"line-0/1/t{place}" for place in range(4)}
        assert {(gap.from_tick, gap.to_tick) for gap in told} <= set(pairwise(stored))
        assert {(a, b) for a, b in pairwise(stored) if b - a > 60} <= {(g.from_tick, g.to_tick) for g in told}
        assert site.sealed_rows() == 0
        offsets = [a.batch.clock.offset_ticks for a in sorted(acker.arrivals, key=lambda a: a.batch.seq)]
        assert None not in offsets[offsets.index(next(filter(None, offsets))) :]

    asyncio.run(story())


def test_frozen_gateway_takes_the_blame_for_its_own_pause(site: GatewaySite) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > 10)
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(4)
            process.send_signal(signal.SIGCONT)
            before = len(ticks(acker.arrivals))
            await until(lambda: len(ticks(acker.arrivals)) > before + 10)
            site.stop(process)
        stored = ticks(acker.arrivals)
        (long,) = [(a, b) for a, b in pairwise(stored) if b - a > 300]
        told = [gap for gap in gaps(acker.arrivals) if gap.to_tick == long[1]]
        assert {gap.point for gap in told} == {f"line-0/1/t{place}" for place in range(4)}
        assert {(gap.cause, gap.from_tick) for gap in told} == {(GapCause.GATEWAY, long[0])}
        events = [event for a in once(acker.arrivals) for event in a.batch.events]
        (started,) = [event for event in events if event.kind == "gateway_started"]
        assert started.data["clean_stop_before"] is False

    asyncio.run(story())


def test_start_without_a_broker_loses_nothing(site: GatewaySite) -> None:
    async def story() -> None:
        port = free_port()
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports, port=port)
            process = site.start()
            await asyncio.sleep(6)
            site.stop(process)
            site.write_settings(ports)
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > 40)
            site.stop(process)
        stored = ticks(acker.arrivals)
        assert len(stored) == len(set(stored))
        told = gaps(acker.arrivals)
        holes = [(a, b) for a, b in pairwise(stored) if b - a > 60]
        assert set(holes) <= {(gap.from_tick, gap.to_tick) for gap in told}

    asyncio.run(story())


def test_silent_hub_gets_the_same_bytes_again_until_it_acks(site: GatewaySite) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            acker.answering = False
            process = site.start()
            await until(lambda: len(acker.arrivals) > len(once(acker.arrivals)) > 2)
            assert site.sealed_rows() >= 2
            acker.answering = True
            await until(lambda: site.sealed_rows() <= 2)
            site.stop(process)
        numbers = sorted(arrival.batch.seq for arrival in once(acker.arrivals))
        assert numbers == list(range(1, len(numbers) + 1))

    asyncio.run(story())


@pytest.mark.requirement("G-7.2b")
def test_forged_ack_deletes_nothing(site: GatewaySite) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            acker.answering = False
            process = site.start()
            await until(lambda: len(once(acker.arrivals)) >= 2)
            stranger = Ed25519Signer.generate()
            topic = build(site.identity.gateway, Channel.DOWN_ACK)
            for arrival in once(acker.arrivals):
                forged = Ack(
                    gateway=site.identity.gateway,
                    hub_time_ms=0,
                    committed=[AckRange(arrival.batch.epoch, arrival.batch.seq, [b"h" * 32])],
                )
                for signer in (stranger, site.hub.signer):
                    acker.publish(topic, frame.encode(topic, encode_body(forged), signer))
            acker.publish(topic, b"\x01\x00rubbish")
            await asyncio.sleep(2)
            assert site.sealed_rows() >= 2
            acker.answering = True
            await until(lambda: site.sealed_rows() <= 2)
            site.stop(process)

    asyncio.run(story())


@pytest.mark.requirement("G-5.2")
@pytest.mark.parametrize("protocol", ["mqtt5", "mqtt311"])
def test_birth_and_points_come_before_batches_and_farewell_at_the_end(
    site: GatewaySite, protocol: str
) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports, uplink=f'protocol = "{protocol}"')
            acker.others.clear()
            process = site.start()
            await until(lambda: len(acker.arrivals) > 2)
            mine = [(topic, body) for topic, body in acker.others if f"/{site.identity.gateway}/" in topic]
            assert [topic.rsplit("/", 1)[1] for topic, _ in mine[-2:]] == ["status", "points"]
            birth = decode_body(frame.decode(mine[-2][1]).body, GatewayStatus)
            declared = decode_body(frame.decode(mine[-1][1]).body, Points)
            assert birth.online
            assert {poll.layout for a in acker.arrivals for poll in a.batch.polls} <= {
                layout.id for layout in declared.layouts
            }
            started = time.monotonic()
            site.stop(process)
            assert time.monotonic() - started < 5
            await until(lambda: "status" in acker.others[-1][0])
            farewell = decode_body(frame.decode(acker.others[-1][1]).body, GatewayStatus)
            assert (farewell.online, farewell.session) == (False, birth.session)
        assert "gateway_stopped" in [event.kind for a in acker.arrivals for event in a.batch.events]

    asyncio.run(story())


def test_bad_settings_are_all_named_and_nothing_starts(site: GatewaySite) -> None:
    site.settings.write_text(
        '[gateway]\nid = "X Y"\ncolour = 1\n[uplink]\nhost = "h"\nport = 99999\nwindow = "many"\n'
        '[[device]]\ndriver = "modbus"\nname = "a"\nhost = "h"\nport = 0\n[[device.unit]]\naddress = 999\n'
        'profile = "xy-md02"\nprefix = "p"\n[[device]]\ndriver = "abacus"\nname = "b"\n'
    )
    done = subprocess.run(site.command(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    for path in (
        "gateway.id",
        "gateway.colour",
        "uplink.port",
        "uplink.window",
        "device[0].port",
        "device[0].unit[0].address",
        "device[1].driver",
    ):
        assert path in done.stderr
    assert not (site.folder / "data").exists()


def test_second_gateway_on_a_data_folder_is_refused_and_the_first_goes_on(site: GatewaySite) -> None:
    async def story() -> None:
        async with simulated(LOAD) as ports, watched(site) as acker:
            site.write_settings(ports)
            process = site.start()
            await until(lambda: len(ticks(acker.arrivals)) > 3)
            second = await asyncio.to_thread(
                subprocess.run, site.command(), capture_output=True, text=True, timeout=90, check=False
            )
            assert second.returncode == 2, second.stderr
            heading, told = second.stderr.splitlines()
            assert heading.endswith("1 fault(s), nothing was started")
            expected = f"{site.folder / 'data'} is in use by process {process.pid}"
            assert (
                told == f"  gateway.data: 'data': expected a folder that no other gateway writes ({expected})"
            )
            checked = await asyncio.to_thread(
                subprocess.run, site.command("check"), capture_output=True, timeout=90, check=False
            )
            assert checked.returncode == 0, checked.stderr
            before = len(ticks(acker.arrivals))
            await until(lambda: len(ticks(acker.arrivals)) > before + 5)
            process.kill()
            process.wait()
            process = site.start()
            before = len(ticks(acker.arrivals))
            await until(lambda: len(ticks(acker.arrivals)) > before + 5)
            site.stop(process)
        assert len({arrival.batch.epoch for arrival in acker.arrivals}) == 1

    asyncio.run(story())


def test_unreachable_device_is_told_and_comes_back_by_itself(site: GatewaySite) -> None:
    async def story() -> None:
        def now() -> tuple[int, int]:
            return time.monotonic_ns(), time.time_ns() // 10**6

        async with watched(site) as acker:
            async with simulated(LOAD) as ports:
                site.write_settings(ports)
                process = site.start()
                await until(lambda: len(ticks(acker.arrivals)) > 3)
            await until(lambda: any(gap.cause is GapCause.BUS for gap in gaps(acker.arrivals)))
            await asyncio.sleep(2)
            before = ticks(acker.arrivals)
            async with modbus_server([unit(1, LOAD.points)], now=now, port=ports[0]):
                await until(lambda: len(ticks(acker.arrivals)) > len(before) + 5)
                site.stop(process)
        stored = ticks(acker.arrivals)
        assert stored[: len(before)] == before
        silence = (before[-1], stored[len(before)])
        assert silence[1] - silence[0] > 200
        told = [gap for gap in gaps(acker.arrivals) if gap.to_tick == silence[1]]
        assert sorted(gap.point for gap in told) == [f"line-0/1/t{place}" for place in range(4)]
        assert {(gap.cause, gap.from_tick) for gap in told} == {(GapCause.BUS, silence[0])}
        told_events = [event.kind for a in once(acker.arrivals) for event in a.batch.events]
        assert told_events.count("gateway_started") == 1
        log = (site.folder / "log").read_text()
        assert log.count("line-0: back") == 1

    asyncio.run(story())


def test_changed_settings_touch_only_the_devices_that_changed(site: GatewaySite) -> None:
    def polls(acker: Acker, unit: str) -> list[int]:
        topic = build(site.identity.gateway, Channel.UP_POINTS)
        declared = [
            decode_body(frame.decode(data).body, Points) for name, data in acker.others if name == topic
        ]
        layouts = [layout for points in declared for layout in points.layouts]
        mine = {layout.id for layout in layouts if layout.points[0].startswith(unit)}
        return sorted(
            a.batch.base_tick + poll.tick
            for a in once(acker.arrivals)
            for poll in a.batch.polls
            if poll.layout in mine
        )

    def events(acker: Acker) -> list[str]:
        return [event.kind for a in once(acker.arrivals) for event in a.batch.events]

    async def story() -> None:
        load = Load(units=2, points=4, interval_ms=200, connections=2)
        async with simulated(load) as ports, watched(site) as acker:
            site.write_settings(ports, load=load)
            whole = site.settings.read_text()
            process = site.start()
            await until(lambda: len(polls(acker, "line-1/")) > 5)
            site.settings.write_text(whole.replace('name = "line-1"', 'name = "line-1"\ntimeout_ms = 777'))
            process.send_signal(signal.SIGHUP)
            await until(lambda: "settings_applied" in events(acker))
            before = len(polls(acker, "line-1/"))
            await until(lambda: len(polls(acker, "line-1/")) > before + 5)
            site.settings.write_text(whole + "\nnonsense = 1")
            process.send_signal(signal.SIGHUP)
            await until(lambda: "settings_refused" in events(acker))
            before = len(polls(acker, "line-1/"))
            await until(lambda: len(polls(acker, "line-1/")) > before + 5)
            site.stop(process)
        untouched = polls(acker, "line-0/")
        assert max(after - before for before, after in pairwise(untouched)) <= 60
        told = {gap.point.split("/")[0] for gap in gaps(acker.arrivals) if gap.cause is GapCause.MAINTENANCE}
        assert told == {"line-1"}
        assert events(acker).count("settings_applied") == 1

    asyncio.run(story())


def test_gateway_whose_broker_never_answers_stops_in_time(site: GatewaySite) -> None:
    """The connection is accepted by the kernel and never read from."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:

        async def story() -> None:
            async with simulated(LOAD) as ports:
                site.write_settings(ports, port=deaf.getsockname()[1])
                process = site.start()
                await until(lambda: site.pending_readings() > 20)
                started = time.monotonic()
                site.stop(process)
                assert time.monotonic() - started < 5

        asyncio.run(story())
    assert site.pending_readings() > 20
