"""A gateway at work gets its next certificate and goes on with it: nothing is lost, nothing comes twice."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from benchmarks.acker import Acker
from benchmarks.edge import Load, settings_text, simulated
from cli.embedded.mosquitto import EmbeddedMosquitto
from edge.main import Gateway
from edge.world import real_world
from provisioning import enrolment
from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import decode_body
from wire.messages import GatewayStatus
from wire.settings.gateway import read_settings
from wire.topics import Channel

pytestmark = [pytest.mark.slow, pytest.mark.requirement("G-7.2a", "G-7.2f")]

LOAD = Load(units=1, points=4, interval_ms=200)


def births(acker):
    found = []
    for topic, payload in acker.others:
        if topic.endswith(Channel.UP_STATUS.value):
            status = decode_body(frame.decode(payload).body, GatewayStatus)
            found += [status.key_proof.certificate_pem] if status.online else []
    return found


def ticks(acker):
    batches = {(one.batch.epoch, one.batch.seq): one.batch for one in acker.arrivals}
    return sorted(batch.base_tick + poll.tick for batch in batches.values() for poll in batch.polls)


async def until(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not come true in time"
        await asyncio.sleep(0.1)


def hurried():
    """This machine, with a chance that makes every wait for a random time short."""
    return replace(real_world(), random=lambda: -0.95)


@pytest.mark.parametrize("days_ago", [80, 400], ids=["in time", "ended long ago"])
def test_new_certificate_is_taken_over_while_readings_go_on(hub, tmp_path, service_folder, days_ago):
    """Ended long ago: the broker does not let the gateway in at all before it has renewed."""
    name = f"running-{days_ago}"
    folder = tmp_path / "identity"
    then = datetime.now(UTC) - timedelta(days=days_ago)
    hub.clock.at = then
    claim = hub.claim(name)
    old = hub.serve(lambda: enrolment.enrol(claim, folder)).identity.certificate_pem
    hub.clock.at = datetime.now(UTC)
    worker = hub.authority.issue_hub(name, now=datetime.now(UTC))

    async def scene():
        async with AsyncExitStack() as stack:
            broker = await stack.enter_async_context(EmbeddedMosquitto(service_folder / name, hub.authority))
            ports = await stack.enter_async_context(simulated(LOAD))
            await stack.enter_async_context(hub.serving())
            acker = await asyncio.to_thread(Acker(worker, broker.hub_port).__enter__)
            text = settings_text(name, broker.gateway_port, ports, load=LOAD)
            (tmp_path / "gateway.toml").write_text(text)
            settings, faults = read_settings(tmp_path / "gateway.toml")
            assert settings is not None, faults
            gateway = Gateway(
                settings, folder=tmp_path, identity=GatewayIdentity.load(folder), world=hurried()
            )
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(gateway.run(stop))
                await until(lambda: births(acker)[-1:] not in ([], [old]))
                before = len(ticks(acker))
                await until(lambda: len(ticks(acker)) > before + 20)
                stop.set()
            await asyncio.to_thread(acker.__exit__)
            return acker

    acker = asyncio.run(scene())
    assert births(acker)[0] == old or days_ago == 400
    assert births(acker)[-1] == (folder / "tls-cert.pem").read_text()
    stored = ticks(acker)
    assert len(stored) == len(set(stored))
    assert max(b - a for a, b in pairwise(stored)) < 100
    kinds = {event.kind for one in acker.arrivals for event in one.batch.events}
    assert "certificate_renewed" in kinds
