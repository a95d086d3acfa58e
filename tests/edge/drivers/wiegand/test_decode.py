"""Pulses on two wires become frames and frames become cards, keys or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credential import FORMATS, Credential, frame_of
from edge.drivers.wiegand.decode import BITS_MAX, Frame, Key, Line, Noise, pulse, read, silent

MS = 1_000_000
SILENCE = 50 * MS
ALL = ["h10301", "h10306", "h10304", "raw"]


def frames(pulses: list[tuple[int, int]]) -> list[Frame]:
    """Return what (time, bit) pulses become, and what is left at the end."""
    line, found = Line(), list[Frame]()
    for at_ns, bit in pulses:
        line, frame = pulse(line, bit, at_ns=at_ns, silence_ns=SILENCE)
        found += [frame] if frame else []
    _, frame = silent(line, now_ns=10**18, silence_ns=SILENCE)
    return found + ([frame] if frame else [])


def sent(bits: str, start_ns: int = 0, gap_ns: int = MS) -> list[tuple[int, int]]:
    return [(start_ns + place * gap_ns, int(bit)) for place, bit in enumerate(bits)]


@pytest.mark.requirement("G-6.4b")
def test_card_is_read_from_its_pulses() -> None:
    """Facility 118, number 1603: the example in the documentation of Proxmark3."""
    (frame,) = frames(sent(f"{0x2EC0C86:026b}"))
    assert read(frame, ["h10301"], keypad=False) == Credential("card", "h10301", "1603", 118)


@given(st.lists(st.text("01", min_size=1, max_size=BITS_MAX), max_size=5), st.integers(0, 49))
def test_frames_are_parted_by_silence_alone(texts: list[str], gap_ms: int) -> None:
    pulses, at = list[tuple[int, int]](), 0
    for text in texts:
        pulses += sent(text, at, gap_ms * MS)
        at = pulses[-1][0] + SILENCE
    assert [(frame.value, frame.bits, frame.noise) for frame in frames(pulses)] == [
        (int(text, 2), len(text), 0) for text in texts
    ]


def test_pulse_that_comes_with_an_earlier_time_keeps_its_place() -> None:
    (frame,) = frames([(5 * MS, 1), (4 * MS, 0), (6 * MS, 1)])
    assert (frame.value, frame.bits, frame.first_ns, frame.last_ns) == (0b101, 3, 5 * MS, 6 * MS)


def test_frame_is_not_over_before_its_silence() -> None:
    line, _ = pulse(Line(), 1, at_ns=0, silence_ns=SILENCE)
    assert silent(line, now_ns=SILENCE - 1, silence_ns=SILENCE) == (line, None)
    assert silent(line, now_ns=SILENCE, silence_ns=SILENCE)[1] is not None
    assert silent(Line(), now_ns=SILENCE, silence_ns=SILENCE) == (Line(), None)


def test_endless_frame_is_noise_and_takes_no_more_room() -> None:
    (frame,) = frames(sent("10" * 5000))
    assert (frame.bits, frame.noise) == (BITS_MAX, 10_000 - BITS_MAX)
    assert read(frame, ALL, keypad=True) == Noise("10000 bits: expected at most 128")


@pytest.mark.parametrize("name", ["h10301", "h10306", "h10304"])
def test_every_single_flipped_bit_is_seen(name: str) -> None:
    value, bits = frame_of(FORMATS[name], 4711, 99), FORMATS[name].bits
    for place in range(bits):
        found = read(Frame(value ^ 1 << place, bits, 0, 0, 0), [name], keypad=False)
        assert isinstance(found, Noise)
        assert "4711" not in found.reason


def test_keys_come_as_four_or_eight_bits() -> None:
    for key, character in enumerate("0123456789*#"):
        assert read(Frame(key, 4, 0, 0, 0), ["h10301"], keypad=True) == Key(character)
        both = (key ^ 0xF) << 4 | key
        assert read(Frame(both, 8, 0, 0, 0), ["h10301"], keypad=True) == Key(character)
    assert isinstance(read(Frame(12, 4, 0, 0, 0), ["h10301"], keypad=True), Noise)
    assert isinstance(read(Frame(0x11, 8, 0, 0, 0), ["h10301"], keypad=True), Noise)


def test_short_frames_are_no_keys_where_there_is_no_keypad() -> None:
    assert isinstance(read(Frame(1, 4, 0, 0, 0), ["h10301"], keypad=False), Noise)
    assert read(Frame(1, 4, 0, 0, 0), ["raw"], keypad=False) == Credential("card", "raw4", "1")


def test_frame_does_not_show_its_bits() -> None:
    assert repr(Frame(0x2EC0C86, 26, 0, 0, 0)) == "Frame(26 bits, 0 noise)"


@given(value=st.integers(0, 2**130), bits=st.integers(0, 130), noise=st.integers(0, 3), keypad=st.booleans())
def test_any_frame_is_something(value: int, bits: int, noise: int, *, keypad: bool) -> None:
    assert isinstance(read(Frame(value, bits, 0, 0, noise), ALL, keypad=keypad), Credential | Key | Noise)
