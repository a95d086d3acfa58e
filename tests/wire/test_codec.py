"""Bodies: round trips of everything that can be built, and named errors for everything else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import codec, messages
from wire.errors import MessageError
from wire.status import ClockState, GapCause, PointKind

TICKS = st.integers(-(2**39), 2**39)
INT64 = st.integers(-(2**63), 2**63 - 1)
ID128 = st.binary(min_size=16, max_size=16)
HASH = st.binary(min_size=32, max_size=32)
GATEWAY = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)
POINT = st.from_regex(r"[a-z0-9][a-z0-9_./-]{0,40}", fullmatch=True)
WORD = st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)
SEQ = st.integers(1, 2**62)
SCALAR = TEXT | INT64 | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none()

CLOCKS = st.builds(
    messages.Clock,
    st.sampled_from(ClockState),
    st.none() | TICKS,
    st.none() | st.integers(0, 2**40),
    TEXT,
)
POLLS = st.builds(
    messages.Poll,
    st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    TICKS,
    st.lists(st.none() | INT64, max_size=8),
    st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=3),
)
POSITIONS = st.builds(
    messages.Position,
    POINT,
    TICKS,
    st.integers(0, 3),
    st.none() | st.integers(-90 * 10**9, 90 * 10**9),
    st.none() | st.integers(-180 * 10**9, 180 * 10**9),
    st.none() | INT64,
)
EVENTS = st.builds(messages.Event, WORD, TEXT, TICKS, st.dictionaries(WORD, SCALAR, max_size=3))
GAPS = st.builds(messages.Gap, POINT, st.sampled_from(GapCause), st.none() | TICKS, st.none() | TICKS, TEXT)
BATCHES = st.builds(
    messages.Batch,
    gateway=GATEWAY,
    epoch=ID128,
    seq=SEQ,
    previous=HASH,
    boot=ID128,
    clock=CLOCKS,
    base_tick=TICKS,
    polls=st.lists(POLLS, max_size=3),
    positions=st.lists(POSITIONS, max_size=2),
    events=st.lists(EVENTS, max_size=2),
    gaps=st.lists(GAPS, max_size=2),
    clocks=st.lists(st.builds(messages.ClockFound, ID128, TICKS, st.integers(0, 2**40), TEXT), max_size=2),
    tombstones=st.lists(st.builds(messages.Tombstone, ID128, SEQ, HASH, TEXT), max_size=2),
)
DECLARATIONS = st.builds(
    messages.PointDeclaration,
    name=POINT,
    quantity=WORD,
    kind=st.sampled_from(PointKind),
    exponent=st.integers(-12, 12),
    period_ms=st.none() | st.integers(1, 2**40),
    device=TEXT,
    states=st.dictionaries(TEXT, TEXT, max_size=3),
)
ACKS = st.builds(
    messages.Ack,
    gateway=GATEWAY,
    hub_time_ms=INT64,
    committed=st.lists(
        st.builds(messages.AckRange, ID128, SEQ, st.lists(HASH, min_size=1, max_size=3)), max_size=3
    ),
    new_epoch=st.lists(ID128, max_size=2),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@given(BATCHES)
def test_batch_comes_back_equal(batch: messages.Batch) -> None:
    body = codec.encode_body(batch)
    assert codec.decode_body(body, messages.Batch) == batch
    assert codec.encode_body(codec.decode_body(body, messages.Batch)) == body


@given(GATEWAY, st.lists(DECLARATIONS, max_size=4))
def test_declarations_come_back_equal(gateway: str, points: list[messages.PointDeclaration]) -> None:
    message = messages.Points(gateway=gateway, points=points, layouts=[])
    assert codec.decode_body(codec.encode_body(message), messages.Points) == message


@given(ACKS)
def test_ack_comes_back_equal(ack: messages.Ack) -> None:
    assert codec.decode_body(codec.encode_body(ack), messages.Ack) == ack


@pytest.mark.parametrize("kind", codec.MESSAGE_TYPES.values())
@given(body=st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_random_bodies_raise_message_error_alone(kind: type[messages.Message], body: bytes) -> None:
    with pytest.raises(MessageError):
        codec.decode_body(body, kind)


@given(batch=BATCHES, data=st.data())
def test_damaged_batch_decodes_or_raises_message_error(batch: messages.Batch, data: st.DataObject) -> None:
    body = bytearray(codec.encode_body(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = codec.decode_body(bytes(body), messages.Batch)
    except MessageError:
        return
    assert codec.decode_body(codec.encode_body(decoded), messages.Batch) == decoded


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"polls":[', b'{"weather":' + b"["])
def test_deep_nesting_raises_message_error(opening: bytes) -> None:
    with pytest.raises(MessageError):
        codec.decode_body(opening * (1_000_000 // len(opening)), messages.Batch)


@pytest.mark.parametrize("digits", [20, 5_000, 500_000])
def test_number_without_end_raises_message_error(digits: int) -> None:
    with pytest.raises(MessageError, match=r"hub_time_ms|out of range"):
        codec.decode_body(b'{"gateway":"a","hub_time_ms":' + b"9" * digits + b"}", messages.Ack)


def test_unknown_field_is_ignored_upward_and_refused_downward() -> None:
    up = b'{"gateway":"a","points":[],"layouts":[],"more":1}'
    assert codec.decode_body(up, messages.Points).gateway == "a"
    with pytest.raises(MessageError, match="unknown field `more`"):
        codec.decode_body(b'{"gateway":"a","hub_time_ms":1,"more":1}', messages.Ack)


@given(st.text(st.characters() | st.characters(categories=["Cs"]), max_size=300))
def test_any_text_can_be_made_fit_for_a_message(text: str) -> None:
    gap = messages.Gap("room-1/t", GapCause.BUS, reason=messages.as_text(text))
    assert msgspec.json.decode(msgspec.json.encode(gap), type=messages.Gap) == gap


def test_hash_of_a_body_is_sha256() -> None:
    """NIST FIPS 180-4, example of a one-block message."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert codec.body_hash(b"abc").hex() == expected


@given(GATEWAY, HASH, GATEWAY, HASH)
def test_key_proof_stands_for_one_gateway_and_one_key(
    gateway: str, key: bytes, other: str, other_key: bytes
) -> None:
    """No shift of bytes between name and key gives the same text to sign: a name has no zero byte."""
    one, another = messages.key_proof_bytes(gateway, key), messages.key_proof_bytes(other, other_key)
    assert (one == another) == ((gateway, key) == (other, other_key))
    assert one == b"heng/1/key-proof\0" + gateway.encode() + b"\0" + key
