"""Frames that must change nothing: malformed, oversized, of the wrong version or topic, forged, foreign.

Pure: bytes in, (topic, frame) out. It sends nothing.
"""

import zlib
from dataclasses import dataclass, replace
from random import Random

import msgspec

from wire import codec, frame, topics
from wire.messages import Ack, AckRange, Batch
from wire.topics import Channel


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Stranger:
    """A gateway that the authority certified, but that may not speak for the victim."""

    gateway: str
    signer: frame.Signer

    @property
    def topic(self) -> str:
        """The only batch topic on which the broker lets it publish."""
        return topics.build(self.gateway, Channel.UP_BATCH)


def as_victim(captured: Message, random: Random) -> dict[str, Message]:
    """Return what a broken or tampered gateway would send on its own topic, by kind."""
    topic, good = captured.topic, captured.payload
    place = random.randrange(frame.HEADER_BYTES, len(good))
    flipped = good[:place] + bytes((good[place] ^ 0x01,)) + good[place + 1 :]
    no_signature = good[:10] + bytes(frame.SIGNATURE_BYTES) + good[frame.HEADER_BYTES :]
    body = frame.decode(good).body
    changed = good[: frame.HEADER_BYTES] + body[:-1] + b" }"
    return {
        "malformed": Message(topic, random.randbytes(200)),
        "empty": Message(topic, b""),
        "short": Message(topic, good[: frame.HEADER_BYTES]),
        "cut": Message(topic, good[: len(good) - 7]),
        "wrong_version": Message(topic, bytes((9,)) + good[1:]),
        "unknown_flags": Message(topic, good[:1] + bytes((0x80,)) + good[2:]),
        "bit_flipped": Message(topic, flipped),
        "badly_signed": Message(topic, no_signature),
        "altered": Message(topic, bytes((good[0], 0)) + changed[2:]),
        "inflates_too_far": Message(topic, _bomb(good)),
        "oversized": Message(topic, good[: frame.HEADER_BYTES] + random.randbytes(frame.FRAME_BYTES_MAX)),
        "wrong_topic": Message(topic.replace("/up/batch", "/up/status"), good),
    }


def as_stranger(captured: Message, stranger: Stranger) -> dict[str, Message]:
    """Return what another certified gateway would send to speak for the victim, by kind."""
    body = frame.decode(captured.payload).body
    return {
        "foreign_signature": Message(captured.topic, frame.encode(captured.topic, body, stranger.signer)),
        "foreign_topic": Message(stranger.topic, captured.payload),
        "foreign_identity": Message(stranger.topic, frame.encode(stranger.topic, body, stranger.signer)),
    }


def forged_acks(captured: Message, *, other: str, signer: frame.Signer, now_ms: int) -> dict[str, Message]:
    """Return acks of a batch that no hub key signed, as a compromised broker could send them, by kind."""
    body = frame.decode(captured.payload).body
    batch = codec.decode_body(body, Batch)
    topic = topics.build(batch.gateway, Channel.DOWN_ACK)
    committed = [AckRange(epoch=batch.epoch, first=batch.seq, hashes=[codec.body_hash(body)])]
    ack = Ack(gateway=batch.gateway, hub_time_ms=now_ms, committed=committed)
    give_up = Ack(gateway=batch.gateway, hub_time_ms=now_ms, new_epoch=[batch.epoch])
    foreign = msgspec.structs.replace(ack, gateway=other)
    signed = frame.encode(topic, codec.encode_body(ack), signer)
    return {
        "foreign_signature": Message(topic, signed),
        "no_signature": Message(topic, signed[:10] + bytes(64) + signed[frame.HEADER_BYTES :]),
        "foreign_new_epoch": Message(topic, frame.encode(topic, codec.encode_body(give_up), signer)),
        "other_gateway": Message(topic, frame.encode(topic, codec.encode_body(foreign), signer)),
        "malformed": Message(topic, b"\x01\x00ack"),
    }


def readdressed(ack: Message, gateway: str) -> Message:
    """Return a true ack, sent to another gateway."""
    return replace(ack, topic=topics.build(gateway, Channel.DOWN_ACK))


def _bomb(good: bytes) -> bytes:
    packed = zlib.compress(bytes(4 * frame.BODY_BYTES_MAX), 9)
    return bytes((good[0], 0x01)) + good[2 : frame.HEADER_BYTES] + packed
