"""A terminal's JSON becomes a person, a factor and an outcome; what could be a template gets nowhere."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credential import Credential
from edge.drivers.terminal.decode import Happening, Posted, TerminalError, read
from wire.settings.check import check
from wire.settings.terminal import TerminalMap, is_biometric

MAP = TerminalMap(
    person="/info/userId",
    event="/type",
    events=["verify"],
    factor="/info/mode",
    factors={"1": "fingerprint", "15": "face"},
    result="/info/status",
    results={"0": "granted", "9": "denied"},
    door="/info/door",
    time="/info/time",
)
PLAIN = TerminalMap(person="/id", factor_default="qr")
JSON = "application/json"


def event(**info: Any) -> bytes:
    return json.dumps({"type": "verify", "info": {"userId": 1204, **info}}).encode()


@pytest.mark.requirement("G-6.4b")
def test_person_factor_and_outcome_are_read() -> None:
    posted = read(event(mode=15, status=0, door=2, time="12:00"), JSON, MAP)
    person = Credential("terminal", "person", "1204")
    assert posted == Posted(Happening(person, "face", granted=True, door="2", time="12:00"), 0)


def test_what_is_not_known_is_another_factor_and_denied() -> None:
    for info in ({"mode": 3, "status": 9}, {"mode": None, "status": 77}, {}):
        happening = read(event(**info), JSON, MAP).happening
        assert happening is not None
        assert (happening.factor, happening.granted) == ("other", False)


def test_terminal_without_factor_and_result_reports_grants_alone() -> None:
    happening = read(b'{"id": "a7"}', JSON, PLAIN).happening
    assert happening == Happening(
        Credential("terminal", "person", "a7"), "qr", granted=True, door="", time=""
    )


def test_numbers_are_taken_as_they_are_written() -> None:
    happening = read(b'{"id": 12345678901234567890.10}', JSON, PLAIN).happening
    assert happening is not None
    assert happening.person.number == "12345678901234567890.10"


def test_heartbeat_only_shows_that_it_lives() -> None:
    assert read(b'{"type": "heartbeat"}', JSON, MAP) == Posted(None, 0)
    assert read(b"{}", JSON, MAP) == Posted(None, 0)


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    "extra",
    [
        {"faceTemplate": "AAECAw=="},
        {"face_feature": [1, 2]},
        {"SnapPicture": "x"},
        {"whatever": "Q" * 65},
        {"embedding": {"deep": "x"}},
        {"rows": [0.5] * 17},
        {"nul": "a\0b"},
    ],
)
def test_what_could_be_a_template_is_dropped(extra: dict[str, Any]) -> None:
    posted = read(event(mode=1, status=0, **extra), JSON, MAP)
    assert posted.dropped == 1
    for value in extra.values():
        assert str(value) not in repr(posted)


def test_dropped_person_is_no_person() -> None:
    with pytest.raises(TerminalError, match="/id: expected the person"):
        read(json.dumps({"id": "Q" * 100}).encode(), JSON, PLAIN)


def test_too_deep_is_dropped() -> None:
    deep: object = "x"
    for _ in range(20):
        deep = {"a": deep}
    assert read(json.dumps({"id": "1", "a": deep}).encode(), JSON, PLAIN).dropped == 1


def test_names_with_slashes_and_tildes_have_pointers() -> None:
    posted = read(b'{"a/b~c": {"d": [{"e": true}]}}', JSON, TerminalMap(person="/a~1b~0c/d/0/e"))
    assert posted.happening is not None
    assert posted.happening.person.number == "true"


def form(*parts: tuple[str, bytes]) -> bytes:
    body = b"".join(
        b"--XX\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + data + b"\r\n"
        for head, data in parts
    )
    return body + b"--XX--\r\n"


PICTURE = ('name="Picture"; filename="p.jpg"\r\nContent-Type: image/jpeg', b"\xff\xd8\r\n\r\n\x00")
LOG = ('name="event_log"', b'{"id": "7"}')
LOG_JSON = ('name="event_log"\r\nContent-Type: application/json', b'{"id": "7"}')


@pytest.mark.parametrize("boundary", ['boundary="XX"', "boundary=XX"])
def test_form_gives_its_json_and_nothing_else(boundary: str) -> None:
    posted = read(form(PICTURE, LOG_JSON), f"multipart/form-data; {boundary}", PLAIN)
    assert posted.dropped == 1
    assert posted.happening is not None
    assert posted.happening.person.number == "7"
    named = TerminalMap(person="/id", form_field="Event_Log")
    assert read(form(LOG, PICTURE), f"multipart/form-data; {boundary}", named).dropped == 1


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (form(PICTURE), "multipart/form-data; boundary=XX", "without a part of JSON"),
        (form(LOG_JSON), "multipart/form-data", "without a boundary"),
        (b"{", JSON, "not JSON"),
        (b"\xff\xfe", JSON, "not JSON"),
        (b'{"id": NaN}', JSON, "not JSON"),
        (b"[" * 60_000, JSON, "not JSON"),
        (b" " * 70_000, JSON, "70000 bytes of JSON"),
        (b'"Zm9vYmFy"', JSON, "expected the person"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_content(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(TerminalError, match=reason) as caught:
        read(body, content_type, PLAIN)
    assert "Zm9v" not in str(caught.value)


def test_form_of_which_no_named_part_is_there_is_refused() -> None:
    named = TerminalMap(person="/id", form_field="other")
    with pytest.raises(TerminalError, match="without a part"):
        read(form(LOG, ("nothing", b"")), "multipart/form-data; boundary=XX", named)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=30,
)


@given(st.one_of(st.binary(max_size=200), JSON_VALUES.map(lambda value: json.dumps(value).encode())))
def test_anything_posted_is_read_or_refused_by_name(body: bytes) -> None:
    for mapping in (MAP, PLAIN):
        for content_type in (JSON, "multipart/form-data; boundary=X"):
            try:
                posted = read(body, content_type, mapping)
            except TerminalError:
                continue
            assert posted.dropped >= 0


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=65, max_size=300))
def test_no_long_value_gets_through(blob: str) -> None:
    document = {"type": "verify", "info": {"userId": "1", "door": blob, "time": blob}, "x": {"y": [blob]}}
    posted = read(json.dumps(document).encode(), JSON, MAP)
    assert posted.dropped == 3
    assert blob not in repr(posted)
    assert blob not in repr(posted.happening)


def test_mapping_to_a_biometric_field_is_refused() -> None:
    assert is_biometric("Face-Template")
    assert not is_biometric("userId")
    table = {"person": "/faceTemplate", "factors": {"1": "face"}}
    assert [fault.path for fault in check(table, TerminalMap)[1]] == ["person", "factors"]
