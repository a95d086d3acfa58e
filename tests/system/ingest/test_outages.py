"""Crashes of the hub and cut database sessions: what was not acknowledged is sent again, and stored once."""

import contextlib
import signal
import socket
import subprocess
import time
from dataclasses import replace

import pytest

from cli.embedded.processes import free_port
from wire.messages import Poll

pytestmark = pytest.mark.slow

STOP_S = 2.5
"""Bound for a stop while nothing has to be finished: it takes some tenths of a second."""


def numbers(hub, gateway):
    rows = hub.rows(
        """
        SELECT r.raw FROM readings r JOIN channel_bindings c ON c.point_id = r.point_id
          JOIN gateways g ON g.id = c.gateway_id WHERE g.name = %s AND c.channel = %s ORDER BY 1
        """,
        gateway.name,
        f"{gateway.name}/p",
    )
    return [row[0] for row in rows]


def deliver_until_acked(hub, gateway, batches, within_s=30.0):
    """Send again what was not acknowledged, as gateways do."""
    deadline = time.monotonic() + within_s
    waiting = list(batches)
    while waiting and time.monotonic() < deadline:
        gateway.deliver(*waiting)
        gateway.acked(waiting[-1], within_s=2.0)
        waiting = [batch for batch in waiting if not gateway.acked(batch, within_s=0.0)]
    assert not waiting, hub.log()


@pytest.mark.requirement("G-7.2b")
def test_hub_killed_under_load_stores_every_reading_once(hub, gateway):
    layout = gateway.declare(f"{gateway.name}/p")
    batches = [gateway.seal(Poll(layout, n, [n])) for n in range(200)]
    gateway.deliver(*batches[:60])
    hub.kill(signal.SIGKILL)
    gateway.deliver(*batches[60:120])
    hub.start()
    deliver_until_acked(hub, gateway, batches)
    assert numbers(hub, gateway) == list(range(200))


def test_cut_database_sessions_are_opened_again_and_nothing_is_lost(hub, gateway):
    layout = gateway.declare(f"{gateway.name}/p")
    batches = [gateway.seal(Poll(layout, n, [n])) for n in range(100)]
    for start in range(0, 100, 20):
        gateway.deliver(*batches[start : start + 20])
        hub.cut_sessions("ingest")
    deliver_until_acked(hub, gateway, batches)
    assert numbers(hub, gateway) == list(range(100))
    assert "ingest: storing is back" in hub.log()


def test_hub_stops_cleanly_within_five_seconds(hub, gateway):
    started = time.monotonic()
    assert hub.kill(signal.SIGTERM) == 0, hub.log()
    assert time.monotonic() - started < 5
    hub.start()
    layout = gateway.declare(f"{gateway.name}/p")
    deliver_until_acked(hub, gateway, [gateway.seal(Poll(layout, 1, [1]))])


@contextlib.contextmanager
def broker_that_accepts_and_says_nothing():
    """Gives its port: connections are accepted by the kernel, and the TLS handshake gets no answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def broker_in_a_black_hole():
    """Gives its port: no connection is answered at all, as the listener's queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("room", ["hub", "ingest", "watch"])
@pytest.mark.parametrize("dead", [broker_that_accepts_and_says_nothing, broker_in_a_black_hole])
def test_hub_that_waits_for_a_dead_broker_stops_at_once(hub, room, dead, tmp_path):
    with dead() as port:
        url = f"mqtts://127.0.0.1:{port}"
        waiting = replace(hub, broker_url=url, port=free_port(), folder=tmp_path, process=None)
        waiting.start(room)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.process.wait(0.5)
        started = time.monotonic()
        assert waiting.kill(signal.SIGTERM) == 0, waiting.log()
        assert time.monotonic() - started < STOP_S


def test_rooms_as_processes_of_their_own_do_the_same(hub, gateway):
    assert hub.kill(signal.SIGTERM) == 0
    hub.start("ingest")
    layout = gateway.declare(f"{gateway.name}/p")
    deliver_until_acked(hub, gateway, [gateway.seal(Poll(layout, 1, [1]))])
    assert hub.kill(signal.SIGTERM) == 0
    hub.start()


def test_hub_refuses_a_schema_that_is_newer(hub):
    hub.kill(signal.SIGTERM)
    hub.rows_changed("INSERT INTO schema_migrations VALUES (9999, '9999_future.sql', '')")
    try:
        done = hub.command("hub")
        assert done.returncode == 1
        assert "newer than this code" in done.stderr
    finally:
        hub.rows_changed("DELETE FROM schema_migrations WHERE number = 9999")
    hub.start()
