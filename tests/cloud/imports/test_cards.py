"""The hub's hash of a card is the gateway's, to the letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.imports.cards import card_of, format_fault, key_id
from edge import credential

KEYS = st.binary(min_size=32, max_size=32)


@pytest.mark.requirement("G-6.4b")
@given(KEYS, st.sampled_from(sorted(credential.FORMATS)), st.data())
def test_card_of_a_known_format_has_the_token_of_the_gateway(
    key: bytes, name: str, data: st.DataObject
) -> None:
    form = credential.FORMATS[name]
    number = data.draw(st.integers(0, 2 ** (form.number[1] - form.number[0] + 1) - 1))
    facility = 0
    if form.facility is not None:
        facility = data.draw(st.integers(0, 2 ** (form.facility[1] - form.facility[0] + 1) - 1))
    read = credential.card_of(credential.frame_of(form, number, facility), form.bits, [name])
    card, _, expected = card_of(name, str(facility) if form.facility else "", f"{number:03}")
    assert card is not None, expected
    assert card.token(key) == read.token(key)
    assert key_id(key) == credential.key_id(key)
    assert repr(card) == f"Card({name} …{str(number)[-2:] if number >= 10_000 else ''})"


@given(KEYS, st.integers(1, 128), st.data())
def test_chip_s_uid_has_the_token_of_the_gateway(key: bytes, bits: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 2**bits - 1))
    read = credential.card_of(value, bits, ["raw"])
    card, _, expected = card_of(f"raw{bits}", "", f"{value:X}")
    assert card is not None, expected
    assert card.token(key) == read.token(key)


@pytest.mark.parametrize(
    ("name", "facility", "number", "field"),
    [
        ("h10301", "256", "1", "facility"),
        ("h10301", "", "1", "facility"),
        ("h10301", "1", "65536", "number"),
        ("h10301", "1", "-1", "number"),
        ("h10301", "1", "１", "number"),
        ("h10302", "1", "1", "facility"),
        ("raw32", "1", "ff", "facility"),
        ("raw32", "", "1ffffffff", "number"),
        ("raw32", "", "xyz", "number"),
    ],
)
def test_card_that_does_not_fit_its_format_is_refused_by_field(
    name: str, facility: str, number: str, field: str
) -> None:
    card, wrong, expected = card_of(name, facility, number)
    assert (card, wrong) == (None, field)
    assert expected


@pytest.mark.parametrize("name", ["", "h1", "raw", "raw0", "raw513", "raw-1"])
def test_unknown_format_is_told_what_there_is(name: str) -> None:
    assert "h10301" in str(format_fault(name))
