"""Who may post: by a token that is compared in constant time, or by a signature that works once."""

import base64
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.intake.senders import (
    FAILURES_PER_MINUTE,
    Accepted,
    KeyFileError,
    Refusal,
    Senders,
    read_key,
    read_password,
    signature,
)
from edge.intake.server import Request
from wire.settings.intake import Sender

PLAIN, SIGNS = Sender(name="plain", per_minute=3), Sender(name="signs", auth="hmac")
KEYS = {"plain": b"plain-key-0123456789", "signs": b"signs-key-0123456789"}


def senders() -> Senders:
    return Senders([PLAIN, SIGNS], KEYS, now_s=0.0)


def request(body: bytes = b"{}", path: str = "/x", **headers: str) -> Request:
    return Request("POST", path, {k.replace("_", "-"): v for k, v in headers.items()}, body, "192.168.1.9")


def signed(counter: int, key: bytes = KEYS["signs"], **changed: Any) -> Request:
    sign = signature(key, sender="signs", counter=counter, path="/x", body=b"{}")
    fields = {"x_heng_sender": "signs", "x_heng_counter": str(counter), "x_heng_signature": sign}
    return request(**(fields | changed))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.requirement("G-7.2b")
@pytest.mark.parametrize(
    "header",
    ["Bearer plain-key-0123456789", "bearer  plain-key-0123456789 ", basic("any:plain-key-0123456789")],
)
def test_token_says_who_it_is(header: str) -> None:
    assert senders().judge(request(authorization=header), 0.0) == Accepted(PLAIN, None)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer plain-key-012345678",
        "Bearer signs-key-0123456789",
        "Basic ???",
        basic("plain-key-0123456789"),
        "Digest plain-key-0123456789",
    ],
)
def test_anything_else_is_nobody(header: str) -> None:
    assert senders().judge(request(authorization=header), 0.0) == Refusal(401, "unknown key")


def test_signature_works_once() -> None:
    known = senders()
    accepted = known.judge(signed(7), 0.0)
    assert accepted == Accepted(SIGNS, 7)
    assert isinstance(accepted, Accepted)
    assert known.judge(signed(7), 0.0) == accepted, "not taken yet: it may come again"
    known.took(accepted)
    for counter in (7, 6, 0):
        assert known.judge(signed(counter), 0.0) == Refusal(409, "counter was used before")
    assert known.judge(signed(8), 0.0) == Accepted(SIGNS, 8)
    known.took(Accepted(PLAIN, None))
    assert known.counters == {"signs": 7}


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b"{ }"},
        {"path": "/y"},
        {"x_heng_counter": "8"},
        {"x_heng_counter": "-1"},
        {"x_heng_counter": "٧"},
        {"x_heng_counter": "1" * 19},
        {"x_heng_counter": ""},
        {"x_heng_sender": "plain"},
        {"x_heng_sender": "nobody"},
        {"x_heng_signature": "é"},
        {"x_heng_signature": ""},
    ],
)
def test_changed_signed_request_is_nobodys(changed: dict[str, Any]) -> None:
    assert senders().judge(signed(7, **changed), 0.0) == Refusal(401, "unknown key")


def test_signing_device_may_not_send_its_key_instead() -> None:
    assert isinstance(senders().judge(request(authorization="Bearer signs-key-0123456789"), 0.0), Refusal)


def test_known_sender_is_held_to_its_rate() -> None:
    known, header = senders(), "Bearer plain-key-0123456789"
    answers = [known.judge(request(authorization=header), 0.0) for _ in range(4)]
    assert [isinstance(one, Accepted) for one in answers] == [True, True, True, False]
    assert answers[3] == Refusal(429, "more than per_minute allows")


def test_guesses_are_answered_ever_more_rarely() -> None:
    known = senders()
    answers = [known.judge(request(), 0.0) for _ in range(FAILURES_PER_MINUTE + 1)]
    assert answers[-2:] == [Refusal(401, "unknown key"), Refusal(429, "too many wrong keys")]


@given(
    st.dictionaries(
        st.sampled_from(["authorization", "x-heng-sender", "x-heng-counter", "x-heng-signature"]), st.text()
    )
)
def test_any_headers_are_judged(headers: dict[str, str]) -> None:
    assert isinstance(senders().judge(Request("POST", "/", headers, b"", "::1"), 0.0), Refusal)


def test_request_shows_neither_key_nor_body() -> None:
    shown = repr(request(b"secret", authorization="Bearer plain-key-0123456789"))
    assert shown == "Request(POST 6 bytes from 192.168.1.9)"


def test_missing_key_is_made_and_closed_to_others(tmp_path: Path) -> None:
    key = read_key(tmp_path / "device", "door")
    file = tmp_path / "device" / "door.key"
    assert len(key) == 43
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_key(tmp_path / "device", "door") == key
    assert read_key(tmp_path / "device", "other") != key


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("short\n", 0o600, "door.key: 5 characters: expected 16 to 256"),
        ("x" * 300, 0o600, "door.key: 300 characters"),
        ("x" * 32, 0o640, "door.key: readable by others"),
    ],
)
def test_unfit_key_is_refused_without_showing_it(tmp_path: Path, text: str, mode: int, reason: str) -> None:
    file = tmp_path / "door.key"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=reason) as caught:
        read_key(tmp_path, "door")
    assert text.strip() not in str(caught.value)


def test_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match=r"door\.key"):
        read_key(tmp_path / "file", "door")


def test_password_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"mqtt.key: No such file"):
        read_password(tmp_path, "mqtt")
    file = tmp_path / "mqtt.key"
    file.write_bytes(b"\xff\xfe")
    file.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"mqtt.key: not UTF-8"):
        read_password(tmp_path, "mqtt")
    file.write_text("pass word\n")
    assert read_password(tmp_path, "mqtt") == "pass word"
    file.chmod(0o644)
    with pytest.raises(KeyFileError, match="readable by others"):
        read_password(tmp_path, "mqtt")
