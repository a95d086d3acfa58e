"""Message bodies to bytes and back; every error is a `MessageError` that names place and expectation."""

import hashlib
from typing import TypeVar

import msgspec

from wire.control import Command, ControlStatus, Receipt
from wire.errors import MessageError
from wire.messages import Ack, Batch, GatewayStatus, Message, Points
from wire.shadow import Desired, Reported
from wire.topics import Channel

MESSAGE_TYPES: dict[Channel, type[Message]] = {
    Channel.UP_BATCH: Batch,
    Channel.UP_POINTS: Points,
    Channel.UP_STATUS: GatewayStatus,
    Channel.UP_REPORTED: Reported,
    Channel.UP_RESULT: Receipt,
    Channel.UP_CONTROL: ControlStatus,
    Channel.DOWN_ACK: Ack,
    Channel.DOWN_DESIRED: Desired,
    Channel.DOWN_COMMAND: Command,
}

_M = TypeVar("_M", bound=Message)
_encoder = msgspec.json.Encoder()
_decoders: dict[type[Message], "msgspec.json.Decoder[Message]"] = {
    kind: msgspec.json.Decoder(kind) for kind in MESSAGE_TYPES.values()
}


def encode_body(message: Message) -> bytes:
    """Return the JSON of a message: the same message gives the same bytes."""
    return _encoder.encode(message)


def decode_body(body: bytes, kind: type[_M]) -> _M:
    """Return the message of the given type, or raise `MessageError`."""
    try:
        message = _decoders[kind].decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"{kind.__name__}: {error}") from None
    assert isinstance(message, kind)
    return message


def body_hash(body: bytes) -> bytes:
    """Return the SHA-256 that names a batch body in the chain, in acks and in tombstones."""
    return hashlib.sha256(body).digest()
