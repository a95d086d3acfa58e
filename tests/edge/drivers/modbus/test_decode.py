"""Registers become counts exactly, by the maps of the makers' manuals."""

import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.modbus.catalogue import shipped_profiles
from edge.drivers.modbus.decode import (
    RegisterCountError,
    UnwritableError,
    compile_value,
    decode_block,
    decode_value,
    encode_value,
    exponent_of,
    plan,
    refuse_block,
    with_unit,
)
from wire.settings.modbus import REGISTERS, ProfileValue, ValueType
from wire.status import PointKind, Status


def value(kind: ValueType = "int16", /, **more: object) -> ProfileValue:
    fields: dict[str, object] = {"point": "v", "quantity": "dimensionless", "register": 0, "type": kind}
    if kind.startswith("float"):
        fields["step"] = Decimal("0.01")
    return ProfileValue(**{**fields, **more})  # type: ignore[arg-type]


def profile_value(profile: str, point: str) -> ProfileValue:
    return next(one for one in shipped_profiles()[profile].value if one.point == point)


# (profile, point, function, register, registers as sent, value): the facts of the makers' manuals as listed
# in the docs page of each profile; where a manual gives an example answer it is used.
MANUALS = [
    ("xy-md02", "temperature", 4, 0x0001, [0x0131], "30.5"),
    ("xy-md02", "temperature", 4, 0x0001, [0xFFFF], "-0.1"),
    ("xy-md02", "relative_humidity", 4, 0x0002, [0x0222], "54.6"),
    ("rs-ws-n01-8", "relative_humidity", 3, 0x0000, [0x0292], "65.8"),
    ("rs-ws-n01-8", "temperature", 3, 0x0001, [0xFF9B], "-10.1"),
    ("r444a01", "temperature", 3, 0x0000, [0x00F5], "24.5"),
    ("r444a01", "relative_humidity", 3, 0x0001, [0x01F4], "50.0"),
    ("vaisala-hmp", "relative_humidity", 3, 0x0000, [0x7AE1, 0x41F4], "30.56"),
    ("vaisala-hmp", "temperature", 3, 0x0002, [0xCCCD, 0x41A4], "20.6"),
    ("vaisala-hmp", "dew_point", 3, 0x0006, [0x0000, 0xC0A0], "-5"),
    ("vaisala-hmp", "absolute_humidity", 3, 0x000E, [0x0000, 0x4118], "9.5"),
    ("comet-t3311", "temperature", 3, 0x0030, [0x00E1], "22.5"),
    ("comet-t3311", "relative_humidity", 3, 0x0031, [0x01C8], "45.6"),
    ("comet-t3311", "dew_point", 3, 0x0032, [0xFFC4], "-6.0"),
    ("pzem-004t", "voltage", 4, 0x0000, [0x0898], "220.0"),
    ("pzem-004t", "current", 4, 0x0001, [0x03E8, 0x0000], "1.000"),
    ("pzem-004t", "power", 4, 0x0003, [0x0898, 0x0001], "6773.6"),
    ("pzem-004t", "energy", 4, 0x0005, [0x86A0, 0x0001], "100.000"),
    ("pzem-004t", "frequency", 4, 0x0007, [0x01F4], "50.0"),
    ("pzem-004t", "power_factor", 4, 0x0008, [0x0064], "1.00"),
    ("eastron-sdm230", "voltage", 4, 0x0000, [0x4366, 0x3334], "230.2"),
    ("eastron-sdm230", "energy", 4, 0x0156, [0x3F80, 0x0000], "1"),
]


@pytest.mark.requirement("G-6.11b")
@pytest.mark.parametrize(("profile", "point", "function", "register", "words", "expected"), MANUALS)
def test_manuals_example_decodes_to_the_last_digit(
    profile: str, point: str, function: int, register: int, words: list[int], expected: str
) -> None:
    settings = profile_value(profile, point)
    assert (settings.function, settings.register) == (function, register)
    count, status = decode_value(compile_value(settings), words)
    assert status is Status.GOOD
    assert count is not None
    assert Decimal(count).scaleb(exponent_of(settings)) == Decimal(expected)


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_shipped_resolution_is_ten_times_finer_than_the_device(name: str) -> None:
    for one in shipped_profiles()[name].value:
        step = one.scale if one.step is None else one.step
        assert Decimal(1).scaleb(exponent_of(one)) * 10 <= step


@pytest.mark.parametrize(
    ("kind", "data", "count"),
    [
        ("int16", b"\x80\x00", -32768),
        ("uint16", b"\xff\xff", 65535),
        ("int32", b"\xff\xff\xff\xfe", -2),
        ("uint32", b"\xff\xff\xff\xfe", 2**32 - 2),
        ("int64", b"\x80" + bytes(7), -(2**63)),
        ("uint64", b"\x7f" + b"\xff" * 7, 2**63 - 1),
    ],
)
@pytest.mark.parametrize("order", ["high_first", "low_first"])
def test_integers_of_every_size_and_order_are_read(
    kind: ValueType, data: bytes, count: int, order: str
) -> None:
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    settings = value(kind, kind=PointKind.COUNTER, quantity="count", word_order=order)
    sent = words if order == "high_first" else words[::-1]
    found, status = decode_value(compile_value(settings), sent)
    assert found == count
    assert status in (Status.GOOD, Status.IMPLAUSIBLE)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("float32", b"\x7f\xc0\x00\x00"),
        ("float32", b"\x7f\x80\x00\x00"),
        ("float64", b"\xff\xf0" + bytes(6)),
    ],
)
def test_not_a_number_is_invalid_never_zero(kind: ValueType, data: bytes) -> None:
    words = list(struct.unpack(f">{len(data) // 2}H", data))
    assert decode_value(compile_value(value(kind)), words) == (None, Status.INVALID)


def test_patterns_of_the_device_become_statuses() -> None:
    compiled = compile_value(value(invalid=["0x8000"], over_range=["0x7FFF"], under_range=["0x8001"]))
    assert decode_value(compiled, [0x8000]) == (None, Status.INVALID)
    assert decode_value(compiled, [0x7FFF]) == (None, Status.OVER_RANGE)
    assert decode_value(compiled, [0x8001]) == (None, Status.UNDER_RANGE)
    assert decode_value(compiled, [0x7FFE]) == (327660, Status.GOOD)


def test_value_outside_its_quantity_is_kept_and_marked() -> None:
    settings = value(quantity="relative_humidity", scale=Decimal("0.1"))
    assert decode_value(compile_value(settings), [1300]) == (13000, Status.IMPLAUSIBLE)


def test_value_beyond_64_bits_is_absent() -> None:
    settings = value("float64", step=Decimal("0.0001"))
    for number, status in ((1e300, Status.OVER_RANGE), (-1e300, Status.UNDER_RANGE)):
        words = list(struct.unpack(">4H", struct.pack(">d", number)))
        assert decode_value(compile_value(settings), words) == (None, status)


def test_scale_that_is_no_power_of_ten_is_rounded_once() -> None:
    compiled = compile_value(value(scale=Decimal("0.0625"), offset=Decimal("-40")))
    assert compiled.exponent == -3
    assert decode_value(compiled, [1]) == (-39938, Status.GOOD)  # -39.9375, half to even
    assert decode_value(compiled, [3]) == (-39812, Status.GOOD)  # -39.8125


@given(
    st.sampled_from(sorted(REGISTERS)),
    st.sampled_from(["high_first", "low_first"]),
    st.decimals("-1000", "1000", places=6).filter(bool),
    st.decimals("-1000", "1000", places=6),
    st.binary(min_size=8, max_size=8),
)
def test_any_registers_give_the_exact_count_or_a_status(
    kind: ValueType, order: str, scale: Decimal, offset: Decimal, data: bytes
) -> None:
    settings = value(kind, word_order=order, scale=scale, offset=offset)
    words = list(struct.unpack(">4H", data))[: REGISTERS[kind]]
    count, status = decode_value(compile_value(settings), words)
    assert status.absent == (count is None)
    if count is None:
        return
    ordered = words if order == "high_first" else words[::-1]
    layout = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q"}
    layout |= {"float32": ">f", "float64": ">d", "bit": ">H"}
    raw = struct.unpack(layout[kind], struct.pack(f">{len(ordered)}H", *ordered))[0]
    exact = Fraction(raw) * Fraction(scale) + Fraction(offset)
    assert count == round(exact / Fraction(10) ** exponent_of(settings))


def test_neighbours_are_merged_into_one_read() -> None:
    blocks = plan(shipped_profiles()["xy-md02"].value, 0)
    assert [(block.function, block.start, block.count) for block in blocks] == [(4, 1, 2)]


def test_gap_is_read_along_only_when_the_profile_says_so() -> None:
    values = [value(register=0), value(register=3, point="w")]
    assert [block.count for block in plan(values, 0)] == [1, 1]
    assert [block.count for block in plan(values, 2)] == [4]


def test_read_never_exceeds_125_registers() -> None:
    values = [value("uint32", register=2 * index, point=f"v{index}") for index in range(100)]
    blocks = plan(values, 124)
    assert [block.count for block in blocks] == [124, 76]
    assert sorted(index for block in blocks for index, _, _ in block.places) == list(range(100))


def test_functions_are_never_mixed_in_a_read() -> None:
    values = [value(register=0, function=3), value(register=1, point="w", function=4)]
    assert [(block.function, block.count) for block in plan(values, 10)] == [(3, 1), (4, 1)]


def test_overlapping_values_share_registers() -> None:
    values = [value("uint32", register=0), value(register=1, point="low")]
    (block,) = plan(values, 0)
    counts: list[int | None] = [None, None]
    flags: list[tuple[int, int]] = []
    decode_block(block, [1, 2], counts=counts, flags=flags)
    assert counts == [655380, 20]
    assert flags == []


def test_block_of_another_size_is_refused() -> None:
    (block,) = plan([value()], 0)
    with pytest.raises(RegisterCountError, match="2 registers: expected 1"):
        decode_block(block, [1, 2], counts=[None], flags=[])


def test_bad_value_is_flagged_at_its_place() -> None:
    values = [value(register=0), value(register=1, point="w", invalid=["0xFFFF"])]
    (block,) = plan(values, 0)
    counts: list[int | None] = [None, None]
    flags: list[tuple[int, int]] = []
    decode_block(block, [7, 0xFFFF], counts=counts, flags=flags)
    assert counts == [70, None]
    assert flags == [(1, Status.INVALID)]


def test_refused_block_is_a_device_error() -> None:
    (block,) = plan([value(), value(register=1, point="w")], 0)
    flags: list[tuple[int, int]] = []
    refuse_block(block, flags)
    assert flags == [(0, Status.DEVICE_ERROR), (1, Status.DEVICE_ERROR)]


@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32", "float32"]),
    st.sampled_from(["high_first", "low_first"]),
    st.sampled_from(["1", "0.1", "0.5", "0.25", "10"]),
    st.integers(-(10**12), 10**12),
)
def test_what_is_written_reads_back_as_the_same_count(
    kind: ValueType, order: str, scale: str, count: int
) -> None:
    compiled = compile_value(value(kind, word_order=order, scale=Decimal(scale)))
    try:
        words = encode_value(compiled, count)
    except UnwritableError:
        return
    assert len(words) == REGISTERS[kind]
    assert decode_value(compiled, words)[0] == count


def test_setpoint_is_written_as_the_device_counts() -> None:
    tenths = compile_value(value("int16", quantity="temperature", scale=Decimal("0.1")))
    assert encode_value(tenths, -550) == (0xFFC9,)
    with pytest.raises(UnwritableError, match="has steps of 10"):
        encode_value(tenths, 555)
    with pytest.raises(UnwritableError, match="more than 1 register"):
        encode_value(tenths, 400_000)
    low_first = compile_value(value("float32", word_order="low_first", step=Decimal("0.1")))
    assert encode_value(low_first, 2150) == (0x0000, 0x41AC)
    with pytest.raises(UnwritableError, match="more than 2 register"):
        encode_value(low_first, 10**60)


def test_bit_is_a_state() -> None:
    coil = compile_value(value("bit", function=1, quantity="state", kind=PointKind.STATE))
    assert decode_value(coil, [1]) == (1, Status.GOOD)
    assert plan([value("bit", function=1), value("bit", function=1, register=1, point="w")], 0)[0].count == 2


def test_count_is_shown_exactly_with_its_unit() -> None:
    assert with_unit(-550, -2, "temperature") == "-5.50 °C"
    assert with_unit(3, 0, "count") == "3"
