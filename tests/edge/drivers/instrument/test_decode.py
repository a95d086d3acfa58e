"""Answers of SCPI instruments become exact counts or an absence; only what is declared is sent."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.control.offers import RefusedError
from edge.drivers.instrument.decode import (
    AnswerError,
    Identification,
    QueuedError,
    block_length,
    block_size,
    commands_of,
    identification,
    measured,
    queued_error,
    strangeness,
    text_of,
)
from wire.settings.instrument import Argument, Identity, Procedure, Query, Step
from wire.status import Status

VOLTAGE = Query(point="voltage", command="READ?", quantity="voltage", step=Decimal("1e-7"))
SECOND = Query(
    point="b", command="READ?", place=1, quantity="voltage", step=Decimal("1e-3"), scale=Decimal(1000)
)
PROCEDURES = [
    Procedure(
        name="set",
        argument=[
            Argument(name="target", low=Decimal(-30), high=Decimal("150.5")),
            Argument(name="state", words=["ON", "OFF"]),
        ],
        step=[Step(command="SOUR:TEMP:SPT {target}"), Step(command="OUTP {state};OUTP?")],
    ),
    Procedure(name="clear", step=[Step(command="*CLS")]),
]


@pytest.mark.requirement("G-8b")
@pytest.mark.parametrize(
    ("answer", "count", "status"),
    [
        ("+1.00000000E+01", 1_000_000_000, Status.GOOD),
        ("-1.2345678E-07", -12, Status.GOOD),
        ("+2.5E-9", 0, Status.GOOD),
        ("+9.99999995E+00", 999_999_995 * 1, Status.GOOD),
        ("10", 1_000_000_000, Status.GOOD),
        (".5", 50_000_000, Status.GOOD),
        ("  7. ", 700_000_000, Status.GOOD),
        ("+9.90000000E+37", None, Status.OVER_RANGE),
        ("-9.9E37", None, Status.UNDER_RANGE),
        ("9.91E37", None, Status.NOT_MEASURED),
        ("+9.91000000E+37", None, Status.NOT_MEASURED),
        ("NAN", None, Status.NOT_MEASURED),
        ("inf", None, Status.OVER_RANGE),
        ("-INF", None, Status.UNDER_RANGE),
        ("OVLD", None, Status.OVER_RANGE),
        ("1e30", None, Status.INVALID),
        ("", None, Status.INVALID),
        ("VOLT", None, Status.INVALID),
        ("1_0", None, Status.INVALID),
        ("0x10", None, Status.INVALID),
        ("1e99999", None, Status.INVALID),
    ],
)
def test_numbers_are_exact_and_overload_is_absent(answer: str, count: int | None, status: Status) -> None:
    assert measured(answer, VOLTAGE, -8) == (count, status)


def test_values_are_taken_by_their_place() -> None:
    assert measured("1,2.5,3", SECOND, -4) == (25_000_000, Status.GOOD)
    assert measured("1", SECOND, -4) == (None, Status.NOT_MEASURED)


def test_identity_is_told_in_four_fields() -> None:
    found = identification("Keysight Technologies,34465A,MY57500001,A.03.01-03.15-03.01-00.52-03-02")
    assert found == Identification(
        "Keysight Technologies", "34465A", "MY57500001", "A.03.01-03.15-03.01-00.52-03-02"
    )
    assert identification("a, b ,,1,2") == Identification("a", "b", "", "1,2")
    for bad in ("", "a,b,c", ",b,c,d", "a,,c,d", "no comma"):
        with pytest.raises(AnswerError, match="expected maker,model,serial,firmware"):
            identification(bad)


@pytest.mark.requirement("Q-90", "Q-91")
def test_another_instrument_is_named_field_by_field() -> None:
    found = Identification("FLUKE", "8588A", "123", "1")
    assert strangeness(found, Identity(maker="Fluke", model="8588a", serial="123")) == ""
    assert strangeness(found, Identity(serial="124")) == "serial '123': expected '124'"
    assert (
        strangeness(found, Identity(maker="x", model="y"))
        == "maker 'FLUKE': expected 'x', model '8588A': expected 'y'"
    )


def test_error_queue_entries_are_read() -> None:
    assert queued_error('+0,"No error"') == QueuedError(0, "No error")
    assert queued_error('-113,"Undefined header;say ""x"""') == QueuedError(-113, 'Undefined header;say "x"')
    for bad in ("", "0", "No error", '0,"', 'x,"No error"', "1.0"):
        with pytest.raises(AnswerError, match="expected <code>"):
            queued_error(bad)


def test_answers_are_one_printable_line() -> None:
    assert text_of(b"1.5\r\n") == "1.5"
    assert text_of(b"a\tb\n") == "a\tb"
    for bad in (b"\x00\n", b"\xff\n", b"a\rb\n", b"\x7f\n"):
        with pytest.raises(AnswerError, match="printable"):
            text_of(bad)


def test_blocks_of_definite_length_alone_are_taken() -> None:
    assert block_length(b"#3") == 3
    assert block_size(b"264", 264) == 264
    for head in (b"", b"#", b"#0", b"#A", b"1,", b"##"):
        with pytest.raises(AnswerError, match="definite length"):
            block_length(head)
    with pytest.raises(AnswerError, match="expected at most 263"):
        block_size(b"264", 263)
    for digits in (b"", b"2x", b"-1", b" 1"):
        with pytest.raises(AnswerError, match="expected the length"):
            block_size(digits, 10)


def test_declared_commands_are_made_with_their_arguments() -> None:
    said = commands_of(PROCEDURES, "set", {"target": "2.5e1", "state": "ON"})
    assert said == ["SOUR:TEMP:SPT 25", "OUTP ON;OUTP?"]
    assert commands_of(PROCEDURES, "set", {"target": "-30.00", "state": "OFF"})[0] == "SOUR:TEMP:SPT -30.00"
    assert commands_of(PROCEDURES, "clear", {}) == ["*CLS"]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("reset", {}, r"procedure 'reset': expected one that is declared \(clear, set\)"),
        ("clear", {"x": "1"}, "clear: argument 'x' is not declared"),
        ("set", {"target": "1"}, "argument state: None: expected ON or OFF"),
        ("set", {"target": "1", "state": "on"}, "argument state: 'on': expected ON or OFF"),
        ("set", {"state": "ON"}, "argument target: None: expected a number"),
        ("set", {"target": "151", "state": "ON"}, "argument target: 151: expected -30 to 150.5"),
        ("set", {"target": "-30.001", "state": "ON"}, "expected -30 to 150.5"),
        ("set", {"target": "1;*RST", "state": "ON"}, "expected a number"),
        ("set", {"target": "1\n*RST", "state": "ON"}, "expected a number"),
        ("set", {"target": "NaN", "state": "ON"}, "expected a number"),
    ],
)
def test_what_is_not_declared_is_refused(name: str, arguments: dict[str, str], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        commands_of(PROCEDURES, name, arguments)


def test_without_procedures_nothing_is_allowed() -> None:
    with pytest.raises(RefusedError, match=r"\(none\)"):
        commands_of([], "x", {})


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_no_answer(data: bytes) -> None:
    try:
        text = text_of(data)
        count, status = measured(text, VOLTAGE, -8)
        assert (count is None) == status.absent
        queued_error(text)
        identification(text)
    except AnswerError:
        pass


@given(st.binary(max_size=3), st.binary(max_size=12))
def test_any_head_of_a_block_is_a_length_or_none(head: bytes, digits: bytes) -> None:
    try:
        assert 1 <= block_length(head) <= 9
        assert 0 <= block_size(digits, 1000) <= 1000
    except AnswerError:
        pass


@given(st.text(max_size=30), st.dictionaries(st.sampled_from(["target", "state", "z"]), st.text(max_size=20)))
def test_no_argument_brings_a_second_command_in(name: str, arguments: dict[str, str]) -> None:
    for known in ("set", name):
        try:
            said = commands_of(PROCEDURES, known, arguments)
        except RefusedError:
            continue
        assert not any(";" in one.removesuffix(";OUTP?") or "\n" in one for one in said)
