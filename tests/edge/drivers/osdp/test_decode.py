"""OSDP's frames to the last bit, what may be sent, and that no number or key shows anywhere."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credential import FORMATS
from edge.credential import frame_of as card_frame_of
from edge.drivers.osdp.decode import (
    DEFAULT_KEY,
    Frames,
    KeyUnfitError,
    OsdpError,
    card_from,
    crc16,
    frame_of,
    key_from,
    keys_from,
    knows_not,
    local_status,
    may_send,
    nak_text,
)

# libosdp 3.2.9 on both ends: ID, CAP, CHLNG with the reader's key and with the default key, SCRYPT, KEYSET.
ID = bytes.fromhex("53050900046100c125")
CAP = bytes.fromhex("53050900056200a247")
CHLNG = bytes.fromhex("530513000e03110176d764c8cce93255c4cdcf")
CHLNG_DEFAULT = bytes.fromhex("530513000f0311007644 8a60c283aa880a1a5f")
SCRYPT = bytes.fromhex("53051b000f031301777a065125cb8db3787042fecee2d0590df401")
SCRYPT_DEFAULT = bytes.fromhex("53051b000d031300775305c737128d7019ee8b61a954ead91b9ef7")
KEYSET = bytes.fromhex(
    "53052e000e0217753acdac02558328888f36789a40ecda74e08b67defe304911d0e8058c56d0798d4489481b6cc2"
)
PDID = bytes.fromhex("538514000445010000010105000000000001a8de")
NAK = bytes.fromhex("5385090004410483b7")
ACK_SECURE = bytes.fromhex("53850e000e021640964776c56755")
ALL = ["h10301", "h10306", "h10304", "raw"]


def checksummed(raw: bytes) -> bytes:
    """The same frame with a checksum instead of a CRC."""
    body = raw[:2] + (len(raw) - 1).to_bytes(2, "little") + bytes([raw[4] & ~0x04]) + raw[5:-2]
    return body + bytes([-sum(body) & 0xFF])


@pytest.mark.parametrize(
    ("raw", "reply", "block", "data", "first", "id_"),
    [
        (ID, False, None, None, 0x00, 0x61),
        (CAP, False, None, None, 0x00, 0x62),
        (CHLNG, False, 0x11, 1, None, 0x76),
        (CHLNG_DEFAULT, False, 0x11, 0, None, 0x76),
        (SCRYPT, False, 0x13, 1, None, 0x77),
        (KEYSET, False, 0x17, None, None, 0x75),
        (PDID, True, None, None, 0x01, 0x45),
        (NAK, True, None, None, 0x04, 0x41),
        (ACK_SECURE, True, 0x16, None, None, 0x40),
    ],
)
def test_frames_are_taken_apart(
    raw: bytes, reply: bool, block: int | None, data: int | None, first: int | None, id_: int
) -> None:
    for one in (raw, checksummed(raw)):
        frame = frame_of(one)
        assert (frame.address, frame.reply, frame.id) == (5, reply, id_)
        assert (frame.block, frame.block_data, frame.first) == (block, data, first)
        assert frame.secure == (block in (0x16, 0x17))


def test_refusal_in_clear_says_by_its_reason_whether_the_reader_knows_the_command() -> None:
    def refused(reason: int) -> bool:
        body = NAK[:6] + bytes([reason])
        return knows_not(frame_of(body + crc16(body).to_bytes(2, "little")))

    assert [reason for reason in range(1, 7) if refused(reason)] == [3]
    assert not knows_not(frame_of(ACK_SECURE))
    in_session = ACK_SECURE[:7] + b"\x41" + ACK_SECURE[8:-2]
    assert knows_not(frame_of(in_session + crc16(in_session).to_bytes(2, "little")))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        ID[:-1],
        ID[:-1] + b"\0",
        b"\x52" + ID[1:],
        ID[:2] + b"\x0a" + ID[3:],
        CHLNG[:1] * 300,
    ],
)
def test_what_is_no_frame_is_refused(raw: bytes) -> None:
    with pytest.raises(OsdpError):
        frame_of(raw)


@pytest.mark.parametrize("tail", [b"", b"\x00", b"\x01\x61", b"\x02\x11", b"\xff\x11\x61"])
def test_frame_without_a_command_is_refused(tail: bytes) -> None:
    body = bytes([0x53, 5, 5 + len(tail) + 2, 0, 0x0C]) + tail
    with pytest.raises(OsdpError):
        frame_of(body + crc16(body).to_bytes(2, "little"))


def test_frames_are_found_between_noise_and_in_pieces() -> None:
    frames = Frames()
    line = b"\xff\x00\x53\x01" + b"\xff" + ID + b"noise" + checksummed(NAK) + b"\x53\x00\x03\x00"
    found = [frame.raw for at in range(len(line)) for frame in frames.feed(line[at : at + 1])]
    assert found == [ID, checksummed(NAK)]
    assert frames.skipped == 5 + 5
    frames.forget()
    assert frames.skipped == 5 + 5 + 4
    assert [frame.raw for frame in frames.feed(PDID)] == [PDID]


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([ID, NAK, PDID, ACK_SECURE])), max_size=9))
def test_no_bytes_break_the_search_for_frames(chunks: list[bytes]) -> None:
    frames = Frames()
    found = [frame for chunk in chunks for frame in frames.feed(chunk)]
    assert all(frame_of(frame.raw) == frame for frame in found)
    frames.forget()
    assert frames.skipped + sum(len(frame.raw) for frame in found) == sum(map(len, chunks))


@given(st.binary(max_size=300))
def test_no_bytes_break_the_frame_decoder(raw: bytes) -> None:
    with suppress(OsdpError):
        frame_of(raw)


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    ("raw", "always", "installing"),
    [
        (ID, True, True),
        (CAP, True, True),
        (CHLNG, True, True),
        (SCRYPT, True, True),
        (KEYSET, True, True),
        (CHLNG_DEFAULT, False, True),
        (SCRYPT_DEFAULT, False, True),
    ],
)
def test_default_key_is_sent_only_while_pairing(raw: bytes, always: bool, installing: bool) -> None:
    assert may_send(frame_of(raw), installing=False) is always
    assert may_send(frame_of(raw), installing=True) is installing


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize("command", [0x60, 0x64, 0x69, 0x6B, 0x75, 0x76, 0x77, 0x80])
def test_nothing_is_sent_in_clear_but_who_and_what(command: int) -> None:
    body = bytes([0x53, 5, 9, 0, 0x04, command, 0])
    frame = frame_of(body + crc16(body).to_bytes(2, "little"))
    assert not may_send(frame, installing=False)
    assert not may_send(frame, installing=True)


def packed(name: str, number: int, facility: int = 0) -> tuple[bytes, int]:
    bits = FORMATS[name].bits
    value = card_frame_of(FORMATS[name], number, facility) << (-bits % 8)
    return value.to_bytes((bits + 7) // 8, "big"), bits


@pytest.mark.requirement("G-3.5")
@pytest.mark.parametrize(
    ("name", "facility", "number"),
    [("h10301", 118, 1603), ("h10306", 65535, 1), ("h10304", 300, 524287), ("h10302", None, 34359738367)],
)
def test_cards_are_read_with_their_parity(name: str, facility: int | None, number: int) -> None:
    data, bits = packed(name, number, facility or 0)
    card = card_from(data, bits, [name])
    assert (card.format, card.facility, card.number) == (name, facility, str(number))
    for bit in (0, bits // 2, bits - 1):
        broken = (int.from_bytes(data, "big") ^ 1 << (len(data) * 8 - 1 - bit)).to_bytes(len(data), "big")
        with pytest.raises(OsdpError, match="parity"):
            card_from(broken, bits, [name])


def test_known_frame_of_26_bits_is_read_as_readers_send_it() -> None:
    """0x2EC0C86: facility 118, card 1603; the last byte is filled with zeros from behind."""
    card = card_from((0x2EC0C86 << 6).to_bytes(4, "big"), 26, ALL)
    assert (card.facility, card.number) == (118, "1603")


def test_uid_is_kept_as_it_is_or_turned() -> None:
    uid = bytes.fromhex("04a1b2c3d4e5f6")
    assert card_from(uid, 56, ALL).number == "04a1b2c3d4e5f6"
    assert card_from(uid, 56, ALL, reversed_uid=True).number == "f6e5d4c3b2a104"
    assert card_from(uid, 55, ALL, reversed_uid=True).number == card_from(uid, 55, ALL).number
    data, bits = packed("h10301", 7, 7)
    assert card_from(data, bits, ALL, reversed_uid=True) == card_from(data, bits, ALL)


@pytest.mark.parametrize(("data", "bits"), [(b"", 0), (b"\1", 9), (b"\1\2", 8), (b"\0" * 65, 513), (b"", -1)])
def test_bits_and_bytes_have_to_agree(data: bytes, bits: int) -> None:
    with pytest.raises(OsdpError, match="bits"):
        card_from(data, bits, ALL)


def test_card_of_another_format_is_refused_without_its_number() -> None:
    data, bits = packed("h10301", 54321, 99)
    with pytest.raises(OsdpError) as refused:
        card_from(data, bits, ["h10306"])
    assert "54321" not in str(refused.value)


@given(
    st.binary(max_size=70), st.integers(-1, 600), st.lists(st.sampled_from([*FORMATS, "raw"])), st.booleans()
)
def test_no_card_breaks_the_decoder(data: bytes, bits: int, formats: list[str], turned: bool) -> None:
    try:
        card = card_from(data, bits, formats, reversed_uid=turned)
    except OsdpError:
        return
    if len(card.number) > 4:
        assert card.number not in f"{card!r}{card}"


def test_keys_are_digits_letters_enter_and_clear() -> None:
    assert keys_from(b"12AD\x0d\x7f") == "12AD#*"
    assert keys_from(b"") == ""
    for strange in (b"E", b"\x00", b"12\xff"):
        with pytest.raises(OsdpError) as refused:
            keys_from(strange)
        assert "12" not in str(refused.value)


def test_local_status_is_tamper_and_power() -> None:
    assert local_status(b"\0\0") == (False, False)
    assert local_status(b"\1\0") == (True, False)
    assert local_status(b"\0\1") == (False, True)
    for strange in (b"", b"\0", b"\0\2", b"\0\0\0"):
        with pytest.raises(OsdpError, match="expected 2"):
            local_status(strange)


def test_refusals_say_what_they_mean() -> None:
    assert nak_text(6) == "secure channel needed"
    assert nak_text(77) == "code 77"
    assert nak_text(None) == "no reason that can be read"


def test_key_is_32_hexadecimal_digits() -> None:
    assert key_from("00112a33445566778899aabbccddeeff\n")[2] == 0x2A
    for strange in ("", "00", "zz" * 16, "00112a33445566778899aabbccddeeff00", "００" * 16):
        with pytest.raises(KeyUnfitError, match="32 hexadecimal digits"):
            key_from(strange)


@pytest.mark.requirement("G-6.4b")
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (DEFAULT_KEY, "default key"),
        (bytes(16), "anybody guesses"),
        (b"\xff" * 16, "anybody guesses"),
        (bytes(range(16)), "anybody guesses"),
        (bytes(range(16, 0, -1)), "anybody guesses"),
        (bytes(range(0, 256, 17)), "anybody guesses"),
    ],
)
def test_default_and_guessable_keys_are_refused_without_being_shown(key: bytes, reason: str) -> None:
    with pytest.raises(KeyUnfitError, match=reason) as refused:
        key_from(key.hex())
    assert key.hex()[:6] not in str(refused.value)
