"""Opens what arrived, stage by stage: topic, envelope, signature, body, identity.

Each stage is a small function on an `Opened`; the first that refuses names itself. Keys come from a
`KeyBook`; a gateway that was never seen brings its key, certified by its TLS key, in its birth message.
Nothing is stored here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509

from cloud.mqtt import Arrived
from provisioning.errors import ProofError
from provisioning.keys import key_id_of, verify_ed25519
from provisioning.proof import check_key_proof
from wire.codec import MESSAGE_TYPES, decode_body
from wire.control import ControlStatus, Receipt
from wire.errors import WireError
from wire.frame import Frame, Verify, decode, signed_bytes
from wire.messages import Batch, GatewayStatus, KeyProof, Message, Points
from wire.shadow import Reported
from wire.topics import Channel, Topic, parse


@dataclass(frozen=True, slots=True)
class Key:
    """A batch key and the gateway it belongs to."""

    gateway: str
    verify: Verify
    refused: bool


class KeyBook(Protocol):
    """Who is known; the values of one moment."""

    def key(self, key_id: bytes) -> Key | None:
        """Return the key of this id."""

    def is_registered(self, gateway: str) -> bool:
        """Whether a site file names this gateway."""

    def is_revoked(self, gateway: str) -> bool:
        """Whether nothing of this gateway is taken any more, whatever key signs it."""


class RefusedError(Exception):
    """A stage refused the message. A stranger's is only counted; others are kept as rejects."""

    def __init__(self, reason: str, *, stage: str = "", stranger: bool = False) -> None:
        super().__init__(reason)
        self.stage = stage
        self.reason = reason
        self.stranger = stranger


@dataclass(slots=True)
class Opened:
    """One message on its way through the stages, which fill it from top to bottom."""

    arrived: Arrived
    topic: Topic = field(init=False)
    frame: Frame = field(init=False)
    message: Message = field(init=False)
    size: int = 0
    """Bytes of the body, once it is inflated."""
    proven: tuple[KeyProof, bytes] | None = None
    """A new key with its proof: (proof, key id), when this message brought one that is not known."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What the stages look things up in."""

    keys: KeyBook
    ca: x509.Certificate
    now: Callable[[], datetime]
    topics: dict[str, Topic] = field(default_factory=dict)
    """Topics parsed before; bounded by the caller's lifetime of this object."""


def parse_topic(item: Opened, opening: Opening) -> None:
    """Which gateway, which channel."""
    text = item.arrived.topic
    topic = opening.topics.get(text)
    if topic is None:
        topic = parse(text)
        if topic.channel not in _READ:
            raise RefusedError(f"{topic.channel.value}: not a channel that is read here")
        if len(opening.topics) < _TOPICS_MAX:
            opening.topics[text] = topic
    item.topic = topic


_TOPICS_MAX = 10_000
_READ = frozenset(channel for channel in MESSAGE_TYPES if channel.value.startswith("up/"))


def take_apart(item: Opened, _: Opening) -> None:
    """Envelope off; sizes are bounded before anything is inflated."""
    item.frame = decode(item.arrived.payload)
    item.size = len(item.frame.body)


def authenticate(item: Opened, opening: Opening) -> None:
    """The key belongs to the topic's gateway and signed exactly this on exactly this topic."""
    if opening.keys.is_revoked(item.topic.gateway):
        raise RefusedError(f"{item.topic.gateway} is revoked")
    key = opening.keys.key(item.frame.key_id)
    verify = _introduce(item, opening) if key is None else key.verify
    if key is not None and key.gateway != item.topic.gateway:
        raise RefusedError(f"signed by {key.gateway} on a topic of {item.topic.gateway}")
    if key is not None and key.refused:
        raise RefusedError(f"the key of {key.gateway} is refused since it was withdrawn")
    if not verify(signed_bytes(item.arrived.topic, item.frame.body), item.frame.signature):
        raise RefusedError("the signature does not belong to this topic, body and key")


def _introduce(item: Opened, opening: Opening) -> Verify:
    """Return the check of a key that this message itself proves to be its gateway's."""
    gateway = item.topic.gateway
    if item.topic.channel is not Channel.UP_STATUS:
        raise RefusedError("unknown key", stranger=True)
    if not opening.keys.is_registered(gateway):
        raise RefusedError("unknown gateway", stranger=True)
    status = decode_body(item.frame.body, GatewayStatus)
    proof = status.key_proof
    if not isinstance(proof, KeyProof):
        raise RefusedError("unknown key", stranger=True)
    try:
        public_key = check_key_proof(gateway, proof, opening.ca, now=opening.now())
    except ProofError as error:
        raise RefusedError(str(error)) from None
    if key_id_of(public_key) != item.frame.key_id:
        raise RefusedError("proves another key than the one that signed")
    item.proven = (proof, item.frame.key_id)
    return verify_ed25519(public_key)


def decode_message(item: Opened, _: Opening) -> None:
    """Body to message."""
    item.message = decode_body(item.frame.body, MESSAGE_TYPES[item.topic.channel])


_Speaks = Batch | Points | GatewayStatus | Reported | Receipt | ControlStatus


def check_identity(item: Opened, _: Opening) -> None:
    """The message speaks of the gateway that signed it."""
    message = item.message
    if not isinstance(message, _Speaks) or message.gateway != item.topic.gateway:
        raise RefusedError(f"speaks of another gateway on a topic of {item.topic.gateway}")


Stage = Callable[[Opened, Opening], None]

STAGES: tuple[Stage, ...] = (parse_topic, take_apart, authenticate, decode_message, check_identity)
"""In this order; what a stage needs, an earlier one has filled."""


Refusals = list[tuple[Arrived, RefusedError]]


def open_all(arrived: Sequence[Arrived], opening: Opening) -> tuple[list[Opened], Refusals]:
    """Run every message through all stages; return what passed, and what was refused with the reason."""
    passed, refused, _ = open_some(arrived, opening, None)
    return passed, refused


def open_some(
    arrived: Sequence[Arrived], opening: Opening, bytes_max: int | None
) -> tuple[list[Opened], Refusals, int]:
    """Do the same until bodies of `bytes_max` were inflated; return also how many messages that took."""
    passed: list[Opened] = []
    refused: Refusals = []
    size = taken = 0
    for message in arrived:
        if bytes_max is not None and size >= bytes_max:
            break
        taken += 1
        item = Opened(message)
        stage: Stage = parse_topic
        try:
            for stage in STAGES:
                stage(item, opening)
        except WireError as error:
            refused.append((message, RefusedError(str(error), stage=stage.__name__)))
        except RefusedError as error:
            error.stage = stage.__name__
            refused.append((message, error))
        else:
            passed.append(item)
        size += item.size
    return passed, refused, taken
