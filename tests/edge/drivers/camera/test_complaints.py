"""What ffmpeg complains of becomes one of a few reasons; its own words, which quote addresses, never do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.camera.complaints import FULL, REASONS, UNKNOWN, WORDLESS, reason_of

SAID = [
    (
        "[error] method DESCRIBE failed: 401 Unauthorized [error] rtsp://admin:s3cret@192.0.2.7/ch1: Serv",
        "the camera refuses user and password",
    ),
    (
        "[error] rtsp://admin:s3cret@192.0.2.7/ch1: Connection refused",
        "Connection refused",
    ),
    (
        "[error] Impossible to open 'http://u:s3cret@192.0.2.7/v' [error] pipe:0: 404 Not Found",
        "the camera has no stream at this address",
    ),
    ("[error] av_interleaved_write_frame(): No space left on device", FULL),
    (
        "[error] pipe:0: Invalid data found when processing input",
        "what came is no video that can be read",
    ),
    ("[fatal] Stream map '0:v:0' matches no streams.", "there is no video in the stream"),
    ("[error] http://192.0.2.7/?user=a&pwd=s3cret: something new", UNKNOWN),
    ("", WORDLESS),
]


@pytest.mark.parametrize(("said", "reason"), SAID)
def test_complaint_becomes_its_reason(said: str, reason: str) -> None:
    assert reason_of([said]) == reason


@given(st.lists(st.text(), max_size=5))
def test_whatever_ffmpeg_says_the_reason_is_a_known_one(said: list[str]) -> None:
    assert reason_of(said) in REASONS
