"""Recorded logs and dumps: their own pace, the dates of now, what is broken left alone, bad files refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.control import obey
from simulators.devices.nmea import sentence
from simulators.devices.recording import Recording, RecordingError, read_recording, recorded
from simulators.devices.ups_dump import RecordedUps, read_dump
from simulators.running import Running
from simulators.scenario import ScenarioError, load_scenario
from simulators.sources import Recorded, played

LOGS = sorted((Path(__file__).parents[1] / "data" / "gnss").glob("*.log"))
DUMPS = Path(__file__).parents[1] / "data" / "ups"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000
FIX = "4807.03800,N,01131.00000,E"


def rmc(clock: str, date: str = "060419") -> str:
    return f"GPRMC,{clock},A,{FIX},0.0,0.0,{date},,,A"


def log_of(*bodies: str) -> Recording:
    found = recorded(b"".join(sentence(body) for body in bodies))
    assert found is not None
    return found


def moved(text: bytes, moment: datetime = NOON) -> bytes:
    """One line, as written at a moment."""
    found = recorded(text)
    assert found is not None
    return found.epochs[0].moved(moment)


def steps(recording: Recording) -> list[float]:
    places = [epoch.at_us for epoch in recording.epochs]
    return [(after - before) / 1e6 for before, after in pairwise(places)]


def play(recording: Recording, times: list[float], fault: str = "") -> bytes:
    clock = iter([times[0], *times])
    write = played(recording, utc_s=lambda: next(clock))
    return b"".join(write(fault) for _ in times)  # type: ignore[arg-type]


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_every_sentence_of_a_log_is_played_once_a_round_with_a_good_checksum(log: Path) -> None:
    recording = read_recording(log)
    rounds = list(recording.between(NOON_US, NOON_US + 3 * recording.length_us))
    assert len(rounds) == 3 * len(recording.epochs)
    moments = [moment for moment, _ in rounds]
    assert moments == sorted(set(moments))
    kept = [line for line in log.read_bytes().split(b"\n") if line.strip() and not line.startswith(b"#")]
    assert sum(epoch.moved(moment).count(b"\n") for moment, epoch in rounds) == 3 * len(kept)
    for moment, epoch in rounds:
        for line in epoch.moved(moment).splitlines():
            fields = line.decode("latin-1").split(",")
            if fields[0][3:] == "RMC" and len(fields) > 9 and b"*" in line:
                assert sentence(line[1:-3].decode()) == line + b"\r\n"
                assert fields[9] in ("", moment.strftime("%d%m%y"))
                assert not fields[1] or fields[1][:6] == moment.strftime("%H%M%S")


def test_log_keeps_its_pace_and_parts_of_seconds() -> None:
    recording = log_of(*(rmc(f"0000{second}") for second in ("00.02", "00.52", "01.02", "03.52")))
    assert steps(recording) == [0.5, 0.5, 2.5]
    assert (recording.period_us, recording.length_us) == (500_000, 4_000_000)
    first = [moment for moment, _ in recording.between(NOON_US - 1, NOON_US + 4_500_000)]
    assert [(moment - NOON) / timedelta(milliseconds=1) for moment in first] == [20, 520, 1020, 3520, 4020]


def test_round_that_begins_late_in_a_second_keeps_its_end() -> None:
    recording = log_of(*(rmc(f"1200{9 + tenth // 10:02d}.{tenth % 10}0") for tenth in range(9, 109)))
    played = list(recording.between(NOON_US, NOON_US + 3 * recording.length_us))
    assert len(played) == 3 * len(recording.epochs)


def test_midnight_is_a_step_like_any_other() -> None:
    assert steps(log_of(rmc("235958"), rmc("235959"), rmc("000000"))) == [1, 1]


@pytest.mark.parametrize("after", ["152505.71", "152504.408", "091500.408", "152700.408"])
def test_cut_is_not_waited_for_and_never_goes_back(after: str) -> None:
    """A clock that was set, back or far ahead, and a logging that was stopped go on after the usual step."""
    recording = log_of(rmc("152503.71"), rmc("152504.71"), rmc(after), rmc("152701.408"))
    assert all(1 <= step < 2 for step in steps(recording)[:2])
    part = int(float(after) * 1000) % 1000
    assert recording.epochs[2].at_us % 1_000_000 == part * 1000


def test_receiver_without_a_clock_has_epochs_too() -> None:
    void = ("GPGGA,,,,,,0,,,,,,,,", "GPRMC,,V,,,,,,,,,,N")
    recording = log_of(*void, *void, rmc("120000.25"), rmc("120001.25"))
    assert steps(recording) == [1, 1.25, 1]
    assert recording.epochs[0].moved(NOON) == b"".join(sentence(body) for body in void)


def test_clock_that_stands_still_is_played_at_the_usual_pace() -> None:
    assert steps(log_of(*[rmc("000000")] * 3)) == [1, 1]


@pytest.mark.parametrize(
    ("recorded_body", "expected"),
    [
        (rmc("235959.952", "050180"), f"GPRMC,120000.000,A,{FIX},0.0,0.0,201126,,,A"),
        (rmc("235959"), f"GPRMC,120000,A,{FIX},0.0,0.0,201126,,,A"),
        ("GNRMC,074150.799,V,,,,,,,250215,,,N", "GNRMC,120000.000,V,,,,,,,201126,,,N"),
        ("GNRMC,074150.799,V,,,,,,,,,,N", "GNRMC,120000.000,V,,,,,,,,,,N"),
        ("GPRMC,074150", "GPRMC,120000"),
        ("GPZDA,235727.02,06,04,2019,,", "GPZDA,120000.00,20,11,2026,,"),
        ("GPZDA,235727.02,,,,00,00", "GPZDA,120000.00,,,,00,00"),
        (f"GPGLL,{FIX},152504.50,A,A", f"GPGLL,{FIX},120000.00,A,A"),
        ("GNGNS,191434.96,,,,,NNN,,,,,,", "GNGNS,120000.00,,,,,NNN,,,,,,"),
        ("PSRFEPE,074150.799,V,,,,,", "PSRFEPE,120000.000,V,,,,,"),
        ("PUBX,04,073731.00,091202,113851.00,1196", "PUBX,04,120000.00,201126,113851.00,1196"),
    ],
)
def test_dates_and_times_are_those_of_now_and_nothing_else_changes(recorded_body: str, expected: str) -> None:
    assert moved(sentence(recorded_body)) == sentence(expected)


@pytest.mark.parametrize(
    "line",
    [
        b"$GPRMC,235724.02,A,4808.9978,N,01135.0800,E,0.0,0.0,060419,,,A*00\r\n",
        b"$GPGSV,1,1,00*79\r\n",
        b"$GPTXT,01,01,02,u-blox\r\n",
        b"!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D\r\n",
        b"\x00\xb5\x62\x01\x07\xff\n",
        b"$GPGGA,250000.00,,,,,0,,,,,,,,*6A\r\n",
        b"$$$,*\n",
    ],
)
def test_what_is_no_good_timed_sentence_stays_as_it_is(line: bytes) -> None:
    assert moved(sentence(rmc("120000")) + line).endswith(b"\r\n" + line)


def test_noise_before_a_sentence_stays_and_the_sentence_is_moved() -> None:
    assert moved(b"\xb5\x62$\x01" + sentence(rmc("010203"))) == b"\xb5\x62$\x01" + sentence(
        rmc("120000", "201126")
    )


def test_sentence_without_a_checksum_gets_none() -> None:
    """gpsd reads it, so that its time must not be the recorded one."""
    assert moved(b"$GNRMC,001053.00,A,4404.14083,N,12118.85886,W,0.") == (
        b"$GNRMC,120000.00,A,4404.14083,N,12118.85886,W,0.\r\n"
    )


def test_same_times_give_the_same_bytes_however_often_they_are_asked() -> None:
    recording = read_recording(LOGS[0])
    start = NOON.timestamp()
    often = play(recording, [start + number / 20 for number in range(400)])
    seldom = play(recording, [start + number / 2 for number in range(40)])
    assert often == play(recording, [start + number / 20 for number in range(400)])
    assert seldom.startswith(b"$")
    assert often.startswith(seldom)


def test_what_was_due_during_a_silence_is_not_told_after_it() -> None:
    recording = log_of(*(rmc(f"1200{second:02d}") for second in range(20)))
    start = NOON.timestamp()
    assert play(recording, [start, start + 600]).count(b"RMC") == 1


def test_played_log_without_a_fix_tells_only_the_time() -> None:
    recording = log_of(rmc("120000.50"), rmc("120001.50"))
    text = play(recording, [NOON.timestamp() + number / 4 for number in range(8)], fault="no_fix")
    assert b"GNRMC,120000.50,V,,,,,,,201126" in text
    assert b"4807" not in text


timed_sentences = st.builds(sentence, st.from_regex(r"\AG[PN](RMC|GGA|ZDA),[0-9.,AV]{0,40}\Z"))


@given(st.lists(st.binary(max_size=60) | timed_sentences))
def test_any_bytes_are_a_recording_that_goes_forward_or_none(lines: list[bytes]) -> None:
    found = recorded(b"\n".join(lines))
    if found is None:
        return
    moments = [moment for moment, _ in found.between(NOON_US, NOON_US + 2 * found.length_us)]
    assert moments == sorted(set(moments))
    for _, epoch in found.between(NOON_US, NOON_US + found.length_us):
        epoch.moved(NOON)


def test_notes_of_a_dump_are_no_values(tmp_path: Path) -> None:
    file = tmp_path / "a.dev"
    file.write_text("battery.charge: 5.0\t#BAD: was 7\n\n#CMD:load.off\nups.serial:\nups.status: OL CHRG\n")
    assert read_dump(file) == {"battery.charge": "5.0", "ups.serial": "", "ups.status": "OL CHRG"}


def test_lost_mains_change_what_they_touch_and_the_rest_stays_as_recorded() -> None:
    recorded_values = {"ups.status": "ALARM OL CHRG RB", "input.voltage": "230", "ups.load": "7"}
    ups = RecordedUps(recorded_values, fault="battery")
    assert ups.on_battery
    assert ups.variables() == {"ups.status": "ALARM RB OB DISCHRG", "input.voltage": "0.0", "ups.load": "7"}
    ups.fault = "low"
    assert ups.variables()["ups.status"] == "ALARM RB OB DISCHRG LB"
    ups.fault = ""
    assert ups.variables() == recorded_values


@pytest.mark.parametrize("name", ["battery-low", "battery-contradicting", "unknown-waiting", "unknown-empty"])
def test_mains_that_a_dump_does_not_have_cannot_be_lost(name: str) -> None:
    ups = RecordedUps(read_dump(DUMPS / f"{name}.dev"))
    state = Running("", {"van/power": ups}, {})
    answer = obey(state, b'{"device": "van/power", "fault": "battery"}')
    assert b"the recorded ups.status is" in answer
    assert b"expected OL without OB" in answer
    assert ups.fault == ""
    assert obey(state, b'{"device": "van/power", "fault": "stale"}') == b'{"ok":true}\n'
    assert ups.fault == "stale"


BAD_LOGS = [(None, "is no file"), (b"", "holds no time"), (sentence("GPGSV,1,1,00"), "holds no time")]
BAD_DUMPS = [
    (None, "is no file"),
    (b"ups.load: 1\n", "holds no ups.status"),
    (b"ups.status: OL\nnonsense\n", "line 2 is 'nonsense'"),
    (b"\xff\xfe", "is no UTF-8 text"),
]


@pytest.mark.parametrize(
    ("part", "data", "reason"),
    [
        *(('gnss]]\nname = "x"\nlog = "bad"', *bad) for bad in BAD_LOGS),
        *(('ups]]\nname = "x"\ndump = "bad"', *bad) for bad in BAD_DUMPS),
    ],
)
def test_bad_recorded_file_is_named_before_anything_starts(
    part: str, data: bytes | None, reason: str, tmp_path: Path
) -> None:
    if data is not None:
        (tmp_path / "bad").write_bytes(data)
    scenario = load_scenario(str(one_part(part, tmp_path)))
    with pytest.raises(ScenarioError, match=r"^van/x: (log|dump): .*; expected a ") as caught:
        Recorded.of(scenario)
    assert f"{tmp_path / 'bad'} {reason}" in str(caught.value)


def one_part(part: str, folder: Path) -> Path:
    file = folder / "one.toml"
    head = (
        'title = "x"\n[[gateway]]\nid = "van"\nkind = "vehicle"\ntitle = "x"\nlatitude = 1\nlongitude = 2\n'
    )
    file.write_text(f"{head}\n[[gateway.{part}\n")
    return file


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("", "expected log, or latitude and longitude"),
        ("latitude = 1", "expected log, or latitude and longitude"),
        ('log = "a"\nlegs = 3', "legs beside log; expected log alone"),
        ('log = "a"\nlatitude = 1\nlongitude = 2', "latitude, longitude beside log"),
    ],
)
def test_receiver_has_a_drive_or_a_log(fields: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=reason):
        load_scenario(str(one_part(f'gnss]]\nname = "x"\n{fields}', tmp_path)))


def test_too_large_or_unreadable_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.log"
    with file.open("wb") as output:
        output.truncate(33 * 2**20)
    for path, reason in ((file, "has more than"), (Path("a\0b"), "cannot be read|is no file")):
        with pytest.raises(RecordingError, match=reason):
            read_recording(path)


def test_shipped_recordings_can_be_played() -> None:
    found = Recorded.of(load_scenario("recorded"))
    assert sorted(found.logs) == ["car-1/gnss", "mobile-1/gnss", "mobile-2/gnss", "walk-1/gnss"]
    assert sorted(found.dumps) == ["mobile-1/power", "mobile-2/power"]
