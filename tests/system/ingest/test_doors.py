"""What is refused at the door is neither stored nor acknowledged, and says why."""

import os
import time

import pytest

from wire import frame
from wire.codec import encode_body
from wire.messages import PointDeclaration, Points, Poll
from wire.topics import Channel, build

pytestmark = pytest.mark.slow

REVOKED_S = 5.0
REJECT = "SELECT stage, reason FROM rejects WHERE topic LIKE %s AND reason LIKE %s"


def last_word(hub, gateway, layout):
    """Deliver a good batch and wait for its ack: what was sent before has been judged by then."""
    good = gateway.seal(Poll(layout, 900, [1]))
    gateway.deliver(good)
    assert gateway.acked(good), hub.log()


def batches(hub, gateway):
    return hub.rows(
        "SELECT b.seq FROM batches b JOIN gateways g ON g.id = b.gateway_id WHERE g.name = %s ORDER BY 1",
        gateway.name,
    )


@pytest.mark.requirement("G-7.2b")
@pytest.mark.parametrize(
    ("damage", "stage", "reason"),
    [
        (lambda good: good[:12] + os.urandom(64) + good[76:], "authenticate", "signature does not belong"),
        (lambda good: b"\x02" + good[1:], "take_apart", "frame version 2%"),
        (lambda good: good[:20], "take_apart", "frame of 20 bytes"),
        (lambda good: good[:1] + b"\x07" + good[2:], "take_apart", "frame flags"),
    ],
    ids=["signature", "version", "cut", "flags"],
)
def test_damaged_frame_is_rejected(hub, gateway, damage, stage, reason):
    layout = gateway.declare("p")
    topic = build(gateway.name, Channel.UP_BATCH)
    bad = gateway.seal(Poll(layout, 0, [7]))
    good_frame = frame.encode(topic, encode_body(bad), gateway.identity.signer)
    gateway.publish(topic, damage(good_frame))
    found = hub.until(REJECT, f"%/{gateway.name}/%", f"%{reason}%")
    assert found[0][0] == stage
    last_word(hub, gateway, layout)
    assert batches(hub, gateway) == [(2,)]


def test_body_that_is_no_batch_is_rejected(hub, gateway):
    topic = build(gateway.name, Channel.UP_BATCH)
    gateway.publish(topic, frame.encode(topic, b'{"seq": "many"}', gateway.identity.signer))
    assert hub.until(REJECT, f"%/{gateway.name}/%", "Batch: %")[0][0] == "decode_message"


def test_batch_that_speaks_of_another_gateway_is_rejected(hub, gateway):
    layout = gateway.declare("p")
    gateway.send(Channel.UP_BATCH, gateway.seal(Poll(layout, 0, [7]), gateway="somebody-else"))
    found = hub.until(REJECT, f"%/{gateway.name}/%", "%speaks of another gateway%")
    assert found[0][0] == "check_identity"


def test_frame_of_another_topic_is_rejected(hub, gateway):
    """A signature covers the topic: what was signed for one cannot be played on another."""
    layout = gateway.declare("p")
    points = build(gateway.name, Channel.UP_POINTS)
    wrong = frame.encode(points, encode_body(gateway.seal(Poll(layout, 0, [7]))), gateway.identity.signer)
    gateway.publish(build(gateway.name, Channel.UP_BATCH), wrong)
    assert hub.until(REJECT, f"%/{gateway.name}/up/batch", "%does not belong to this topic%")


@pytest.mark.requirement("G-7.2a")
def test_unknown_key_is_counted_and_not_kept(hub, gateway, gateway_identity):
    """A stranger with a certificate of ours that no site file names."""
    stranger = type(gateway)(gateway_identity("never-registered"), gateway.port)
    stranger.connect()
    try:
        stranger.send(Channel.UP_STATUS, stranger.status(online=True))
        batch = stranger.seal(Poll("00000000", 0, [1]))
        stranger.deliver(batch)
        assert not stranger.acked(batch, within_s=2.0)
    finally:
        stranger.close()
    assert hub.rows("SELECT 1 FROM rejects WHERE topic LIKE %s", "%never-registered%") == []


def test_contradictory_declaration_is_rejected(hub, gateway):
    gateway.declare("room/air/temperature", exponent=-2)
    changed = PointDeclaration(name="room/air/temperature", quantity="pressure")
    gateway.send(Channel.UP_POINTS, Points(gateway=gateway.name, points=[changed], layouts=[]))
    found = hub.until(REJECT, f"%/{gateway.name}/up/points", "%give the new meaning a new name%")
    assert found[0][0] == "declare"


def test_gateway_that_is_registered_after_its_birth_is_heard_then(hub, gateway, gateway_identity):
    """Neither birth nor declaration is sent again by itself."""
    late = type(gateway)(gateway_identity("late-comer"), gateway.port)
    late.connect()
    try:
        layout = late.declare("late-comer/p")
        late.send(Channel.UP_STATUS, late.status(online=True))
        batch = late.seal(Poll(layout, 0, [1]))
        late.deliver(batch)
        assert not late.acked(batch, within_s=2.0)
        hub.apply(gateway.name, "late-comer")
        hub.until("SELECT 1 FROM points WHERE name = 'late-comer/p'")
        late.deliver(batch)
        assert late.acked(batch), hub.log()
    finally:
        late.close()


@pytest.mark.requirement("G-7.2b")
def test_revoked_gateway_is_refused_although_its_broker_lets_it_in(hub, gateway):
    """A broker that nobody tells of revocations: the connection goes on, and nothing of it is taken."""
    layout = gateway.declare("revoked/p")
    last_word(hub, gateway, layout)
    stored = batches(hub, gateway)
    began = time.monotonic()
    done = hub.command("gateway", "revoke", gateway.name, "--why", "stolen")
    assert done.returncode == 0, done.stderr
    while not hub.rows(REJECT, f"%/{gateway.name}/%", "%is revoked%"):
        assert time.monotonic() - began < REVOKED_S, hub.log()
        gateway.deliver(gateway.seal(Poll(layout, 10 * gateway.seq, [1])))
    late = gateway.seal(Poll(layout, 9000, [1]))
    gateway.deliver(late)
    assert not gateway.acked(late, within_s=2.0)
    assert len(batches(hub, gateway)) >= len(stored)
    assert (late.seq,) not in batches(hub, gateway)
