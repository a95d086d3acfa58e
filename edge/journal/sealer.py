"""Seals groups: gives them the next number of the epoch, the hash of the batch before, and a signature."""

from dataclasses import dataclass, replace

from edge.journal.group import Group, from_batch, to_batch
from wire import frame
from wire.codec import body_hash, decode_body, encode_body
from wire.messages import Batch
from wire.topics import Channel, build

NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the epoch, the last number given and the hash of that batch."""

    epoch: bytes
    seq: int = 0
    previous: bytes = NO_HASH

    def pack(self) -> bytes:
        """Return it as 56 bytes."""
        return self.epoch + self.seq.to_bytes(8, "big") + self.previous

    @classmethod
    def unpack(cls, data: bytes) -> "Head":
        """Return it from its bytes."""
        return cls(data[:16], int.from_bytes(data[16:24], "big"), data[24:56])


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed batch: what is sent, and by what it is known in an ack."""

    epoch: bytes
    seq: int
    hash: bytes
    frame: bytes
    readings: int


class Sealer:
    """Holds the gateway's name and batch key."""

    def __init__(self, gateway: str, signer: frame.Signer) -> None:
        """`gateway` is the id in every batch and in the topic that is signed."""
        self.gateway = gateway
        self._signer = signer
        self._topic = build(gateway, Channel.UP_BATCH)

    def seal(self, group: Group, head: Head, boot_number: int) -> tuple[Sealed, Head]:
        """Return the sealed batch and the chain's new head; `FrameError` when it is too large for one."""
        seq = head.seq + 1
        batch = to_batch(
            group,
            gateway=self.gateway,
            epoch=head.epoch,
            seq=seq,
            previous=head.previous,
            boot_number=boot_number,
        )
        body = encode_body(batch)
        digest = body_hash(body)
        data = frame.encode(self._topic, body, self._signer)
        sealed = Sealed(head.epoch, seq, digest, data, group.readings)
        return sealed, replace(head, seq=seq, previous=digest)


def opened(data: bytes) -> Group:
    """Return the group inside a sealed frame of our own; `WireError` when it is none."""
    return from_batch(decode_body(frame.decode(data).body, Batch))
