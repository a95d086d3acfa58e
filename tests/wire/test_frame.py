"""The envelope: what is signed comes back, and nothing received can do harm."""

import zlib
from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import frame
from wire.errors import FrameError

TOPIC = "heng/1/lab-1/up/batch"


class Signer(Protocol):
    public_key: bytes

    @property
    def key_id(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...


IsSigned = Callable[[bytes, bytes, bytes], bool]


@given(body=st.binary(min_size=1, max_size=3000))
def test_body_comes_back_with_a_good_signature(body: bytes, signer: Signer, is_signed: IsSigned) -> None:
    found = frame.decode(frame.encode(TOPIC, body, signer))
    assert (found.body, found.key_id) == (body, signer.key_id)
    assert is_signed(signer.public_key, frame.signed_bytes(TOPIC, body), found.signature)


@pytest.mark.requirement("G-7.2b")
@given(body=st.binary(min_size=1, max_size=600), data=st.data())
def test_no_flipped_bit_survives(
    body: bytes, data: st.DataObject, signer: Signer, is_signed: IsSigned
) -> None:
    whole = frame.encode(TOPIC, body, signer)
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    altered = bytearray(whole)
    altered[bit // 8] ^= 1 << bit % 8
    try:
        found = frame.decode(bytes(altered))
    except FrameError:
        return
    good = is_signed(signer.public_key, frame.signed_bytes(TOPIC, found.body), found.signature)
    assert not good or found.key_id != signer.key_id or found.body == body


@given(body=st.binary(min_size=1, max_size=50))
def test_frame_is_good_on_its_own_topic_only(body: bytes, signer: Signer, is_signed: IsSigned) -> None:
    found = frame.decode(frame.encode(TOPIC, body, signer))
    other = frame.signed_bytes("heng/1/lab-2/up/batch", body)
    assert not is_signed(signer.public_key, other, found.signature)


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda tail: b"\x01\x01" + bytes(72) + tail))
def test_random_bytes_raise_frame_error_alone(data: bytes) -> None:
    try:
        found = frame.decode(data)
    except FrameError:
        return
    assert len(found.body) <= frame.BODY_BYTES_MAX


@pytest.mark.parametrize("size", [frame.DEFLATE_ABOVE_BYTES, frame.DEFLATE_ABOVE_BYTES + 1])
def test_bodies_above_the_mark_are_deflated(size: int, signer: Signer) -> None:
    whole = frame.encode(TOPIC, b"a" * size, signer)
    assert whole[1] == (size > frame.DEFLATE_ABOVE_BYTES)
    assert frame.decode(whole).body == b"a" * size


def test_largest_body_passes_and_one_byte_more_does_not(signer: Signer) -> None:
    largest = bytes(frame.BODY_BYTES_MAX)
    assert frame.decode(frame.encode(TOPIC, largest, signer)).body == largest
    with pytest.raises(FrameError, match="body of 1048577 bytes"):
        frame.encode(TOPIC, largest + b"\0", signer)


def test_body_that_does_not_shrink_enough_is_refused(signer: Signer) -> None:
    noise = b"".join(signer.sign(bytes([i % 256, i // 256])) for i in range(5000))
    with pytest.raises(FrameError, match="frame of"):
        frame.encode(TOPIC, noise, signer)


def test_oversized_frame_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(FrameError, match="frame of 262145 bytes"):
        frame.decode(bytes(frame.FRAME_BYTES_MAX + 1))


@pytest.mark.parametrize("extra", [1, 100 * 1024 * 1024])
def test_bomb_is_not_inflated(extra: int) -> None:
    packer = zlib.compressobj(9)
    zeros = bytes(1024 * 1024)
    packed = b"".join(packer.compress(zeros) for _ in range(1 + extra // len(zeros)))
    packed += packer.compress(b"\0" * (extra % len(zeros))) + packer.flush()
    assert len(packed) < frame.FRAME_BYTES_MAX
    with pytest.raises(FrameError, match="at most 1048576 bytes once inflated"):
        frame.decode(b"\x01\x01" + bytes(72) + packed)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_deflated_body_that_ends_early_is_refused(cut: int, signer: Signer) -> None:
    whole = frame.encode(TOPIC, b"a" * 1000, signer)
    with pytest.raises(FrameError, match="one complete stream"):
        frame.decode(whole[:-cut])
