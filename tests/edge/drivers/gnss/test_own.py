"""What receivers say of antenna and jamming is read from their own messages, and nothing else is."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.drivers.gnss.own import Antenna, Jamming, Own, OwnError, is_own, parse_own
from edge.drivers.gnss.receiver import Receiver
from simulators.devices.nmea import mon_rf, sentence, ubx


def hw(antenna: int, jamming: int, state: int) -> bytes:
    payload = bytearray(60)
    payload[20], payload[22], payload[45] = antenna, state << 2, jamming
    return ubx(b"\x0a\x09", bytes(payload)).hex().encode()


def rf(*blocks: tuple[int, int, int]) -> bytes:
    bodies = b"".join(
        bytes([0, state, antenna]) + bytes(13) + bytes([jamming]) + bytes(7)
        for antenna, jamming, state in blocks
    )
    return ubx(b"\x0a\x38", bytes([0, len(blocks), 0, 0]) + bodies).hex().encode()


@pytest.mark.parametrize(
    ("line", "own"),
    [
        (b"$GNTXT,01,01,02,ANTSTATUS=OK*25", Own(Antenna.OK)),  # u-blox 8, as recorded
        (b"$GPTXT,01,01,02,ANTSTATUS=OK*3B", Own(Antenna.OK)),
        (b"$GPTXT,01,01,01,ANTENNA OK*35", Own(Antenna.OK)),  # CASIC, as recorded
        (sentence("GPTXT,01,01,01,ANTENNA OPEN").strip(), Own(Antenna.OPEN)),
        (sentence("GNTXT,01,01,02,ANTSTATUS=SHORT").strip(), Own(Antenna.SHORT)),
        (b"$GNTXT,01,01,02,ANTSUPERV=AC SD PDoS SR*3E", None),
        (b"$GNTXT,01,01,02,PROTVER 15.00*01", None),
        (b"$GNRMC,1,2*00", None),
        (hw(2, 12, 1), Own(Antenna.OK, 12, Jamming.NONE)),
        (hw(1, 255, 3), Own(None, 255, Jamming.CRITICAL)),
        (hw(4, 0, 0), Own(Antenna.OPEN, 0, None)),
        (mon_rf(antenna=3, jamming=7, state=2).hex().encode(), Own(Antenna.SHORT, 7, Jamming.WARNING)),
        (rf((2, 10, 1), (4, 80, 0)), Own(Antenna.OPEN, 80, Jamming.NONE)),
        (rf((1, 3, 0)), Own(None, 3, None)),
        (ubx(b"\x01\x07", bytes(92)).hex().encode(), None),
    ],
)
def test_message_gives_what_it_says(line: bytes, own: Own | None) -> None:
    assert is_own(line)
    assert parse_own(line) == own


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"$GNTXT,01,01,02,ANTSTATUS=OK*26", "wrong checksum"),
        (hw(2, 12, 1)[:-2] + b"00", "wrong checksum"),
        (hw(2, 12, 1)[:-4], "wrong length"),
        (b"b5620a09", "wrong length"),
        (b"b5620a0", "hexadecimal"),
        (ubx(b"\x0a\x09", bytes(28)).hex().encode(), "expected 60"),
        (ubx(b"\x0a\x38", b"").hex().encode(), "24 for each block"),
        (ubx(b"\x0a\x38", bytes([0, 2, 0, 0]) + bytes(24)).hex().encode(), "24 for each block"),
        (ubx(b"\x0a\x38", bytes([0, 1, 0, 0]) + bytes(20)).hex().encode(), "24 for each block"),
        (ubx(b"\x0a\x38", bytes(4)).hex().encode(), "24 for each block"),
    ],
)
def test_damaged_message_says_nothing(line: bytes, reason: str) -> None:
    with pytest.raises(OwnError, match=reason):
        parse_own(line)


@pytest.mark.parametrize("line", [b'{"class":"TPV","mode":1}', b"HTTP/1.1 400 Bad Request", b""])
def test_report_of_gpsd_is_not_the_receivers(line: bytes) -> None:
    assert not is_own(line)


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"b5620a38" + data.hex().encode())))
def test_no_line_raises_anything_else(line: bytes) -> None:
    with suppress(OwnError):
        parse_own(line)


def test_changes_of_antenna_and_jamming_are_events_and_old_jamming_is_not_known() -> None:
    receiver = Receiver()
    assert receiver.heard_own(Own(Antenna.OK, 3, Jamming.NONE), 0) == []
    assert receiver.heard_own(Own(Antenna.OPEN), 1) == [("antenna_changed", {"antenna": "open"})]
    assert receiver.heard_own(Own(Antenna.OPEN), 2) == []
    assert receiver.heard_own(Own(jamming_state=Jamming.CRITICAL), 3) == [
        ("jamming_changed", {"jamming": "critical"})
    ]
    assert receiver.own(4) == Own(Antenna.OPEN, 3, Jamming.CRITICAL)
    assert receiver.own(40 * 10**9) == Own(Antenna.OPEN)
    assert receiver.heard_own(Own(Antenna.OK), 5) == [("antenna_changed", {"antenna": "ok"})]
