"""Births, wills with session ids, and silence, as watch records them."""

import os

import pytest

from wire.messages import Poll
from wire.topics import Channel

pytestmark = pytest.mark.slow

STATE = "SELECT 1 FROM gateways WHERE name = %s AND online = %s"
EVENTS = "SELECT kind FROM events WHERE subject = %s ORDER BY id"


def test_will_of_an_older_session_does_not_end_a_newer_one(hub, gateway):
    hub.until(STATE, gateway.name, True)
    old, gateway.session = gateway.session, os.urandom(16)
    gateway.send(Channel.UP_STATUS, gateway.status(online=True))
    hub.until("SELECT 1 FROM gateways WHERE name = %s AND session = %s", gateway.name, gateway.session)
    gateway.send(Channel.UP_STATUS, gateway.status(online=False, session=old))
    layout = gateway.declare("p")
    batch = gateway.seal(Poll(layout, 0, [1]))
    gateway.deliver(batch)
    assert gateway.acked(batch)
    assert hub.rows(STATE, gateway.name, True)
    gateway.send(Channel.UP_STATUS, gateway.status(online=False))
    hub.until(STATE, gateway.name, False)
    assert [kind for (kind,) in hub.rows(EVENTS, gateway.name)] == [
        "gateway_online",
        "gateway_online",
        "gateway_offline",
    ]


def test_silent_gateway_is_suspected_after_a_restart_and_a_batch_disproves_it(hub, gateway):
    """While the hub listens without a break, no will means that the session lives; a restart is a break."""
    hub.until(STATE, gateway.name, True)
    hub.kill()
    hub.start()
    hub.until(STATE, gateway.name, False)
    assert ("gateway_suspected_offline",) in hub.rows(EVENTS, gateway.name)
    layout = gateway.declare("p")
    batch = gateway.seal(Poll(layout, 0, [1]))
    gateway.deliver(batch)
    assert gateway.acked(batch)
    hub.until(STATE, gateway.name, True)


def test_retained_birth_told_again_after_a_restart_is_no_news(hub, gateway):
    hub.until(STATE, gateway.name, True)
    hub.kill()
    hub.start()
    layout = gateway.declare("p")
    batch = gateway.seal(Poll(layout, 0, [1]))
    for _ in range(10):
        gateway.deliver(batch)
        if gateway.acked(batch, within_s=2):
            break
    told = [kind for (kind,) in hub.rows(EVENTS, gateway.name)]
    assert told.count("gateway_online") <= 1 + told.count("gateway_suspected_offline")
