"""The hub's signed word that batches are committed: one frame for each gateway and commit. Pure."""

from collections.abc import Iterable, Mapping

from wire.codec import encode_body
from wire.frame import Signer, encode
from wire.messages import Ack, AckRange
from wire.topics import Channel, build

_HASHES_MAX = 2000
"""In one frame: 2,000 hashes are 90 kB of text."""


def ranges(batches: Iterable[tuple[bytes, int, bytes]]) -> list[AckRange]:
    """Return (epoch, seq, hash) as ranges without holes; of one number with two hashes, both."""
    found: list[tuple[bytes, int, list[bytes]]] = []
    for epoch, seq, digest in sorted(set(batches)):
        if found and found[-1][0] == epoch and found[-1][1] + len(found[-1][2]) == seq:
            found[-1][2].append(digest)
        else:
            found.append((epoch, seq, [digest]))
    return [AckRange(*item) for item in found]


def ack_frames(
    gateway: str,
    batches: Iterable[tuple[bytes, int, bytes]],
    *,
    new_epochs: Iterable[bytes],
    hub_time_ms: int,
    signer: Signer,
) -> list[tuple[str, bytes]]:
    """Return topic and frame of each ack that this gateway is owed; usually one."""
    topic = build(gateway, Channel.DOWN_ACK)
    items = list(batches)
    epochs = sorted(new_epochs)
    frames = []
    for start in range(0, max(len(items), 1), _HASHES_MAX):
        ack = Ack(
            gateway=gateway,
            hub_time_ms=hub_time_ms,
            committed=ranges(items[start : start + _HASHES_MAX]),
            new_epoch=epochs,
        )
        frames.append((topic, encode(topic, encode_body(ack), signer)))
    return frames


def all_frames(
    acks: Mapping[str, list[tuple[bytes, int, bytes]]],
    new_epochs: Mapping[str, set[bytes]],
    *,
    hub_time_ms: int,
    signer: Signer,
) -> list[tuple[str, bytes]]:
    """Return the acks of one commit."""
    return [
        frame
        for gateway, batches in acks.items()
        for frame in ack_frames(
            gateway,
            batches,
            new_epochs=new_epochs.get(gateway, ()),
            hub_time_ms=hub_time_ms,
            signer=signer,
        )
    ]
