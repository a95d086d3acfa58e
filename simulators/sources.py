"""What a receiver writes, from a drive or from a recorded log, and every recorded file of a scenario."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from simulators.devices import gnss
from simulators.devices.nmea import epoch, sky
from simulators.devices.recording import SECOND_US, Recording, RecordingError, read_recording
from simulators.devices.ups_dump import read_dump
from simulators.drives import Drive, Fix, make_drive
from simulators.scenario import GnssPart, Scenario, ScenarioError

T = TypeVar("T")

POLL_S = 0.05
"""How often a played log is asked for what is due: so late is a sentence at most."""
LATE_US = SECOND_US
"""What is due for longer is left out: a receiver that was silent does not tell afterwards."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorded files of a scenario, by `<gateway>/<name>` of their device."""

    logs: dict[str, Recording]
    dumps: dict[str, dict[str, str]]

    @classmethod
    def of(cls, scenario: Scenario) -> "Recorded":
        """Read them all; `ScenarioError` names device, key and value of the first that cannot be played."""
        found = cls({}, {})
        for gateway in scenario.gateway:
            for receiver in gateway.gnss:
                if receiver.log:
                    key = f"{gateway.id}/{receiver.name}"
                    found.logs[key] = _read(read_recording, receiver.log, device=key, field="log")
            for ups in gateway.ups:
                if ups.dump:
                    key = f"{gateway.id}/{ups.name}"
                    found.dumps[key] = _read(read_dump, ups.dump, device=key, field="dump")
        return found


def _read(read: Callable[[Path], T], value: str, *, device: str, field: str) -> T:
    try:
        return read(Path(value))
    except RecordingError as error:
        raise ScenarioError(f"{device}: {field}: {error}") from None


def drive_of(seed: int, key: str, part: GnssPart) -> Drive:
    """Return the drive of a receiver that repeats no log."""
    assert part.latitude is not None
    assert part.longitude is not None
    return make_drive(
        f"{seed}/{key}",
        latitude=part.latitude,
        longitude=part.longitude,
        altitude_m=part.altitude_m,
        legs=part.legs,
        parked_s=part.parked_s,
    )


def driven(seed: int, key: str, where: Callable[[float], Fix], *, utc_s: Callable[[], float]) -> gnss.Epoch:
    """Return what a receiver writes that is where it is told; the same seed and time give the same bytes."""
    key = f"{seed}/{key}"

    def write(fault: gnss.Fault) -> bytes:
        now_s = utc_s()
        fix = None if fault == "no_fix" else where(now_s)
        return epoch(fix, datetime.fromtimestamp(now_s, UTC), sky(key, now_s))

    return write


def played(recording: Recording, *, utc_s: Callable[[], float]) -> gnss.Epoch:
    """Return what a receiver writes that plays this recording: at each call, what became due since the last.

    The same times give the same bytes, whatever the seed. Without a fix it tells only the recorded times.
    """
    last_us = int(utc_s() * SECOND_US)

    def write(fault: gnss.Fault) -> bytes:
        nonlocal last_us
        now_us = int(utc_s() * SECOND_US)
        since_us, last_us = max(last_us, now_us - LATE_US), now_us
        due = recording.between(since_us, now_us)
        if fault == "no_fix":
            return b"".join(epoch(None, moment, []) for moment, _ in due)
        return b"".join(one.moved(moment) for moment, one in due)

    return write
