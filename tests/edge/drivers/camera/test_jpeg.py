"""Whole pictures are found in any stream, however it is cut; nothing else is given out."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.camera.jpeg import Jpegs

MAX = 2_000_000


def made(frames: int) -> bytes:
    """A stream of MJPEG as ffmpeg writes it."""
    source = ["-f", "lavfi", "-i", "testsrc=size=160x90:rate=5", "-frames:v", str(frames)]
    command = ["ffmpeg", "-v", "error", *source, "-f", "mjpeg", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


STREAM = made(4)
TABLE = b"\xff\xdb\x00\x06\xff\xd9\xff\xd9"
SCAN = b"\xff\xda\x00\x04ab"


def test_pictures_are_the_same_however_the_stream_is_cut() -> None:
    whole = Jpegs(MAX).feed(STREAM)
    assert len(whole) == 4
    assert b"".join(whole) == STREAM
    for size in (1, 7, 100, 4096):
        jpegs = Jpegs(MAX)
        pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
        assert [one for piece in pieces for one in jpegs.feed(piece)] == whole


@pytest.mark.parametrize(
    ("picture", "good"),
    [
        (b"\xff\xd8" + TABLE + SCAN + b"x\xff\x00y\xff\xd3z\xff\xd9", True),
        (b"\xff\xd8" + SCAN + b"x" + TABLE + SCAN + b"y\xff\xd9", True),
        (b"\xff\xd8\xff\x01\xff\xff\xd9", True),
        (b"\xff\xd8\xff\xd9", True),
        (b"\xff\xd8\xff\xdb\x00\x01" + b"\xff\xd9", False),
        (b"\xff\xd8\xff\x00\x00\x04" + b"\xff\xd9", False),
        (b"\xff\xd8" + TABLE + b"no marker \xff\xd9", False),
    ],
)
def test_markers_are_followed_by_their_lengths(picture: bytes, good: bool) -> None:
    assert Jpegs(MAX).feed(b"before" + picture + b"after") == ([picture] if good else [])


def test_picture_that_is_too_large_is_passed_over() -> None:
    small = b"\xff\xd8" + SCAN + b"x\xff\xd9"
    jpegs = Jpegs(100)
    assert jpegs.feed(b"\xff\xd8" + SCAN + bytes(200)) == []
    assert jpegs.feed(small) == [small]
    assert Jpegs(100).feed(b"\xff\xd8\xff\xe1\xff\xff" + bytes(300)) == []
    assert Jpegs(100).feed(b"\xff\xd8" + b"\xff\xe1\x00\x50" * 3 + bytes(90) + small) == [small]


@given(
    st.lists(
        st.binary(max_size=60) | st.sampled_from([b"\xff\xd8\xff", b"\xff\xd9", SCAN, TABLE]), max_size=30
    )
)
def test_any_bytes_give_only_what_begins_and_ends_as_a_picture(pieces: list[bytes]) -> None:
    jpegs = Jpegs(500)
    for piece in pieces:
        for picture in jpegs.feed(piece):
            assert picture.startswith(b"\xff\xd8\xff")
            assert picture.endswith(b"\xff\xd9")
    stream = b"".join(pieces)
    whole = Jpegs(500)
    cut = Jpegs(500)
    assert (
        whole.feed(stream) == [one for byte in stream for one in cut.feed(bytes([byte]))] or len(stream) > 500
    )
