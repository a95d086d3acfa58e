"""Frames of Modbus RTU: the one answer that fits its question is found, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.modbus.frames import (
    Answer,
    Question,
    crc16,
    describe_misfit,
    find_answer,
    framed,
    sound,
)

READ_TWO = Question(4, 1, 2)

QUESTIONS = st.one_of(
    st.builds(Question, st.sampled_from([1, 2]), st.integers(0, 65535), st.integers(1, 125)),
    st.builds(Question, st.sampled_from([3, 4]), st.integers(0, 65535), st.integers(1, 125)),
    st.builds(Question, st.just(5), st.integers(0, 65535), values=st.tuples(st.integers(0, 1))),
    st.builds(Question, st.just(6), st.integers(0, 65535), values=st.tuples(st.integers(0, 65535))),
    st.builds(
        Question,
        st.just(16),
        st.integers(0, 65535),
        values=st.lists(st.integers(0, 65535), min_size=1, max_size=8).map(tuple),
    ),
)


def answer_to(unit: int, question: Question, data: bytes = b"") -> bytes:
    """What a unit sends, its data made as long as the question wants."""
    head = question.answer_head
    size = question.answer_bytes - 3 - len(head)
    return framed(unit, head + (data * 250)[:size] + bytes(max(0, size - len(data) * 250)))


# Frames with their checksums, as makers' manuals and the protocol's own examples print them.
PRINTED = [
    (1, Question(4, 1, 1), "01 04 00 01 00 01 60 0A", "01 04 02 01 31 79 74", [0x0131]),
    (2, Question(3, 0, 2), "02 03 00 00 00 02 C4 38", "", []),
    (17, Question(5, 172, values=(1,)), "11 05 00 AC FF 00 4E 8B", "11 05 00 AC FF 00 4E 8B", []),
    (17, Question(6, 1, values=(3,)), "11 06 00 01 00 03 9A 9B", "11 06 00 01 00 03 9A 9B", []),
    (
        17,
        Question(16, 1, values=(10, 258)),
        "11 10 00 01 00 02 04 00 0A 01 02 C6 F0",
        "11 10 00 01 00 02 12 98",
        [],
    ),
]


@pytest.mark.parametrize(("unit", "question", "asked", "answered", "values"), PRINTED)
def test_printed_frames_are_those_of_the_wire(
    unit: int, question: Question, asked: str, answered: str, values: list[int]
) -> None:
    assert framed(unit, question.pdu) == bytes.fromhex(asked)
    if answered:
        assert find_answer(unit, question, bytes.fromhex(answered)) == Answer(values)


def test_bits_come_lowest_first() -> None:
    question = Question(1, 19, 19)
    answer = framed(17, bytes.fromhex("01 03 CD 6B 05"))
    expected = [1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1]
    assert find_answer(17, question, answer) == Answer(expected)


@given(st.integers(1, 247), QUESTIONS, st.binary(max_size=6), st.binary(max_size=40), st.binary(max_size=40))
def test_answer_is_found_in_noise(
    unit: int, question: Question, data: bytes, before: bytes, after: bytes
) -> None:
    answer = answer_to(unit, question, data)
    found = find_answer(unit, question, before + answer + after)
    assert found is not None
    assert found.code is None or before


@given(st.integers(1, 247), QUESTIONS, st.binary(max_size=4), st.data())
def test_answer_with_one_wrong_bit_is_none(
    unit: int, question: Question, data: bytes, draw: st.DataObject
) -> None:
    answer = bytearray(answer_to(unit, question, data))
    bit = draw.draw(st.integers(0, 8 * len(answer) - 1))
    answer[bit // 8] ^= 1 << bit % 8
    assert find_answer(unit, question, bytes(answer)) is None


@given(st.integers(1, 247), QUESTIONS, st.integers(0, 255), QUESTIONS, st.binary(max_size=4))
def test_answer_of_another_unit_or_function_is_none(
    unit: int, question: Question, other: int, asked: Question, data: bytes
) -> None:
    found = find_answer(unit, question, answer_to(other, asked, data))
    same = (other, asked.answer_head) == (unit, question.answer_head)
    assert (found is not None) == same


@given(st.integers(0, 255), QUESTIONS, st.binary(max_size=300))
def test_any_bytes_raise_nothing(unit: int, question: Question, received: bytes) -> None:
    find_answer(unit, question, received)
    assert isinstance(describe_misfit(unit, question, received), str)


def test_answer_that_is_not_whole_yet_is_none() -> None:
    answer = answer_to(1, READ_TWO, b"\x01\x31")
    assert all(find_answer(1, READ_TWO, answer[:size]) is None for size in range(len(answer)))


def test_exception_is_an_answer_with_a_code() -> None:
    assert find_answer(1, READ_TWO, b"\x00" + framed(1, b"\x84\x02")) == Answer([], code=2)


def test_exception_with_a_wrong_checksum_is_none() -> None:
    assert find_answer(1, READ_TWO, framed(1, b"\x84\x02")[:-1] + b"\x00") is None


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (b"", ""),
        (framed(1, READ_TWO.pdu), "echo"),
        (framed(2, b"\x04\x02\x01\x31"), "an answer of unit 2, function 4 came"),
        (framed(1, b"\x03\x04\x01\x31\x02\x22"), "an answer of unit 1, function 3 came"),
        (framed(1, b"\x04\x02\x01\x31"), "another length"),
        (b"\x01\x04\x04\x01", "garbled: 4 bytes"),
        (bytes(300), "garbled: 300 bytes"),
    ],
)
def test_what_came_instead_is_said(received: bytes, said: str) -> None:
    assert said in describe_misfit(1, READ_TWO, received)


def test_checksum_needs_something_to_check() -> None:
    assert crc16(b"") == 0xFFFF
    assert not sound(b"\xff\xff")
