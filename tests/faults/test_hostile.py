"""Every hostile frame is one that the contract refuses."""

import hashlib
from collections.abc import Callable
from random import Random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cli.faults.hostile import Message, Stranger, as_stranger, as_victim, forged_acks
from wire import codec, frame, topics
from wire.errors import WireError
from wire.messages import Ack, Batch, Clock, Poll
from wire.status import ClockState
from wire.topics import Channel


class Key:
    """A batch key, as a gateway holds one."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self._public = self._private.public_key()
        self.key_id = hashlib.sha256(self._public.public_bytes_raw()).digest()[:8]

    def sign(self, data: bytes) -> bytes:
        return self._private.sign(data)

    def verify(self, data: bytes, signature: bytes) -> bool:
        try:
            self._public.verify(signature, data)
        except InvalidSignature:
            return False
        return True


VICTIM, STRANGER = Key(), Key()


def captured() -> Message:
    polls = [Poll(layout="00c0ffee", tick=n, counts=[n, None], flags=[(1, 20)]) for n in range(40)]
    batch = Batch(
        gateway="bench-1",
        epoch=bytes(16),
        seq=7,
        previous=bytes(32),
        boot=bytes(16),
        clock=Clock(ClockState.SYNCHRONISED, 5, 3, "system"),
        base_tick=100,
        polls=polls,
    )
    topic = topics.build("bench-1", Channel.UP_BATCH)
    return Message(topic, frame.encode(topic, codec.encode_body(batch), VICTIM))


def accepted(message: Message, kind: type[Batch] | type[Ack], keys: dict[bytes, Key]) -> bool:
    """What a receiver does with a message, from the contract alone."""
    topic = topics.parse(message.topic)
    if codec.MESSAGE_TYPES[topic.channel] is not kind:
        return False
    taken = frame.decode(message.payload)
    key = keys.get(taken.key_id)
    if key is None or not key.verify(frame.signed_bytes(message.topic, taken.body), taken.signature):
        return False
    return codec.decode_body(taken.body, kind).gateway == topic.gateway


def test_captured_frame_itself_is_good() -> None:
    assert accepted(captured(), Batch, {VICTIM.key_id: VICTIM})


@pytest.mark.parametrize("kind", sorted(as_victim(captured(), Random(1))))
def test_frames_as_the_victim_are_refused(kind: str) -> None:
    message = as_victim(captured(), Random(1))[kind]
    assert refused(lambda: accepted(message, Batch, {VICTIM.key_id: VICTIM}))


@pytest.mark.parametrize("kind", ["foreign_signature", "foreign_topic", "foreign_identity"])
def test_frames_of_a_stranger_are_refused(kind: str) -> None:
    message = as_stranger(captured(), Stranger("bench-9", STRANGER))[kind]
    gateway = topics.parse(message.topic).gateway
    keys = {"bench-1": {VICTIM.key_id: VICTIM}, "bench-9": {STRANGER.key_id: STRANGER}}[gateway]
    assert refused(lambda: accepted(message, Batch, keys))


@pytest.mark.parametrize("kind", sorted(forged_acks(captured(), other="bench-2", signer=STRANGER, now_ms=0)))
def test_forged_acks_are_refused(kind: str) -> None:
    message = forged_acks(captured(), other="bench-2", signer=STRANGER, now_ms=0)[kind]
    hub = Key()
    assert refused(lambda: accepted(message, Ack, {hub.key_id: hub}))


def refused(receive: Callable[[], bool]) -> bool:
    try:
        return not receive()
    except WireError:
        return True
