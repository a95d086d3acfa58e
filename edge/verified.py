"""Opens what comes down: only what one of the pinned hub keys signed, for this gateway and on this topic."""

from typing import TypeVar

from provisioning.identity import GatewayIdentity
from wire import frame
from wire.codec import decode_body
from wire.errors import FrameError, MessageError, SignatureError
from wire.messages import Message

_M = TypeVar("_M", bound=Message)


class UnknownKeyError(SignatureError):
    """It is signed by a key of the hub that is not pinned."""


def verified(topic: str, payload: object, kind: type[_M], *, identity: GatewayIdentity) -> _M:
    """Return the message, or raise `WireError`: `UnknownKeyError` where the key itself is not known."""
    word = kind.__name__.lower()
    message = decode_body(signed_body(topic, payload, identity=identity, word=word), kind)
    gateway = getattr(message, "gateway", None)
    if gateway != identity.gateway:
        raise MessageError(f"{word} for gateway {gateway!r}: expected {identity.gateway!r}")
    return message


def signed_body(
    topic: str, payload: object, *, identity: GatewayIdentity, word: str, bounds: frame.Bounds = frame.ANY
) -> bytes:
    """Return the body of a frame that the hub signed on this topic; raises as `verified` does."""
    if not isinstance(payload, bytes):
        raise FrameError(f"topic {topic[:120]!r}: expected a frame")
    received = frame.decode(payload, bounds=bounds)
    verify = identity.hub_verifiers.get(received.key_id)
    if verify is None:
        raise UnknownKeyError(f"{word}: expected the signature of a pinned hub key")
    if not verify(frame.signed_bytes(topic, received.body), received.signature):
        raise SignatureError(f"{word}: expected the signature of a pinned hub key")
    return received.body
