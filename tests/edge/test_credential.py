"""Card formats to the bit, and no number that shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credential import (
    FORMATS,
    KEY_FILE,
    CardFormat,
    Credential,
    CredentialError,
    card_of,
    frame_of,
    key_id,
    load_key,
)

KEY = bytes(range(32))


def bits_of(text: str) -> tuple[int, int]:
    digits = text.replace(" ", "")
    return int(digits, 2), len(digits)


VECTORS = [
    # name, frame as sent (parity, facility, number, parity), facility, number
    ("h10301", "1 00000001 0000000000000001 0", 1, "1"),
    ("h10301", "1 01111011 0001001110001000 1", 123, "5000"),
    ("h10301", f"{0x2EC0C86:026b}", 118, "1603"),
    ("h10301", "0 11111111 1111111111111111 1", 255, "65535"),
    ("h10306", "1 0000000000000001 0000000000000001 0", 1, "1"),
    ("h10306", "0 1111111111111111 1111111111111111 1", 65535, "65535"),
    ("h10304", "1 0000000000000001 0000000000000000001 0", 1, "1"),
    ("h10304", "0 1111111111111111 1111111111111111111 1", 65535, "524287"),
    ("h10302", "0 00000000000000000000000000000000001 0", None, "1"),
]


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(("name", "frame", "facility", "number"), VECTORS)
def test_frames_are_read_to_the_bit(name: str, frame: str, facility: int | None, number: str) -> None:
    """Ones counted by hand: even in the first half, odd in the second; the 37-bit halves share bit 18.

    The frame 2EC0C86 for facility 118 and number 1603 is the example in the documentation of Proxmark3.
    """
    assert card_of(*bits_of(frame), [name]) == Credential("card", name, number, facility)


@st.composite
def cards(draw: st.DrawFn) -> tuple[CardFormat, int, int]:
    chosen = draw(st.sampled_from(sorted(FORMATS.values(), key=lambda one: one.name)))
    first, last = chosen.number
    number = draw(st.integers(0, (1 << (last - first + 1)) - 1))
    if chosen.facility is None:
        return chosen, number, 0
    first, last = chosen.facility
    return chosen, number, draw(st.integers(0, (1 << (last - first + 1)) - 1))


@given(cards())
def test_every_card_survives_its_frame(card: tuple[CardFormat, int, int]) -> None:
    chosen, number, facility = card
    read = card_of(frame_of(chosen, number, facility), chosen.bits, [chosen.name])
    assert read.number == str(number)
    assert read.facility == (facility if chosen.facility else None)


@given(cards(), st.data())
def test_one_flipped_bit_is_never_another_card(
    card: tuple[CardFormat, int, int], data: st.DataObject
) -> None:
    """Save the bit that both halves of a 37-bit frame share: it breaks both parities, which is seen too."""
    chosen, number, facility = card
    flipped = frame_of(chosen, number, facility) ^ (1 << data.draw(st.integers(0, chosen.bits - 1)))
    with pytest.raises(CredentialError, match="parity"):
        card_of(flipped, chosen.bits, [chosen.name])


@given(st.integers(-1, 2**520), st.integers(-1, 520), st.sets(st.sampled_from([*FORMATS, "raw"]), min_size=1))
def test_any_frame_is_a_card_or_the_named_error(value: int, bits: int, formats: set[str]) -> None:
    try:
        number = card_of(value, bits, sorted(formats)).number
    except CredentialError:
        pass
    else:
        assert number


def test_raw_numbers_keep_their_leading_zeros_and_length() -> None:
    assert card_of(0x04A1, 56, ["h10301", "raw"]) == Credential("card", "raw56", "000000000004a1")
    assert card_of(1, 32, ["raw"]) != card_of(1, 56, ["raw"])


def test_length_of_no_format_is_refused() -> None:
    with pytest.raises(CredentialError, match="27 bits: expected the length of h10301, h10306"):
        card_of(1, 27, ["h10301", "h10306"])


def test_number_is_never_shown_whole() -> None:
    card = Credential("card", "h10302", "8123456789", None)
    assert card.masked == "…89"
    for shown in (repr(card), str(card), f"{card}", repr([card])):
        assert "8123456" not in shown
        assert "…89" in shown
    assert Credential("pin", "keypad", "1234").masked == "…"


def test_token_depends_on_the_key_and_on_all_that_makes_the_card() -> None:
    card = Credential("card", "h10301", "5000", 123)
    others = [
        Credential("card", "h10301", "5000", 124),
        Credential("card", "h10301", "5001", 123),
        Credential("card", "h10304", "5000", 123),
        Credential("qr", "h10301", "5000", 123),
        Credential("card", "h10301", "5000"),
    ]
    tokens = {one.token(KEY) for one in (card, *others)} | {card.token(bytes(32))}
    assert len(tokens) == 7
    assert {len(token) for token in tokens} == {32}


def test_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    assert len(key) == 32
    assert load_key(tmp_path) == key
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


def test_key_is_known_by_what_tells_nothing_of_it() -> None:
    assert len(key_id(KEY)) == 16
    assert key_id(KEY) != key_id(bytes(32))
    assert key_id(KEY) not in KEY.hex()


def test_unfit_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(CredentialError, match=r"5 bytes: expected 32"):
        load_key(tmp_path)
    with pytest.raises(CredentialError, match="No such file"):
        load_key(tmp_path / "missing")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / KEY_FILE).mkdir()
    with pytest.raises(CredentialError, match="directory"):
        load_key(tmp_path / "other")
