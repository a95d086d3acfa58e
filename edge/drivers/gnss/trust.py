"""Whether the time of a receiver may be believed, and how well. Pure.

A receiver that starts cold may be off by leap seconds until it has heard how many there are, and one whose
firmware is old jumps back 1024 weeks. Source: gpsd_json(5), TPV: three consecutive 3D fixes, even then "off
by several seconds until the current leap seconds is known".
"""

from dataclasses import dataclass

FIXES_BEFORE_TIME = 3
FLOOR_MS = 1_767_225_600_000
"""2026-01-01T00:00Z: this software is younger. A rollover of 1024 weeks lands 19 years before."""
CEILING_MS = FLOOR_MS + 60 * 31_557_600_000
LEAP_SECONDS_MIN = 18
"""Since 2017-01-01. Leap seconds are only ever added so far; what says less has not heard yet."""
BURST_NS = 50_000_000
"""Reports that come closer together were held up: their distance says nothing about the clock."""


@dataclass(frozen=True, slots=True)
class TimeReport:
    """What one fix says about time."""

    monotonic_ns: int
    time_ms: int | None
    mode: int
    leap_seconds: int | None = None
    error_us: int | None = None
    """gpsd's `ept`; its confidence is not known."""


@dataclass(frozen=True, slots=True)
class Trust:
    """How many good fixes there were in a row, and the last of them. `bound_ms` is set when it is enough."""

    fixes: int = 0
    last_ms: int = 0
    last_ns: int = 0
    bound_ms: int | None = None
    doubt: str = ""
    """Why the count began anew, in words, when the time itself was the reason."""


def judge(trust: Trust, report: TimeReport, *, late_ms: int) -> Trust:
    """Return the trust after one report; `late_ms` is how late a report may arrive.

    gpsd may report one epoch in pieces; the same time again neither counts nor starts anew.
    """
    time_ms = report.time_ms
    if time_ms is not None and time_ms == trust.last_ms:
        return Trust(trust.fixes, trust.last_ms, trust.last_ns)
    if report.mode != 3 or time_ms is None:
        return Trust(0, time_ms or 0, report.monotonic_ns)
    doubt = _doubt(trust, report, time_ms, late_ms=late_ms)
    if doubt:
        return Trust(0, time_ms, report.monotonic_ns, doubt=doubt)
    if time_ms < trust.last_ms:
        return Trust(0, time_ms, report.monotonic_ns)
    fixes = trust.fixes + 1
    # `late_ms` has room for the usual errors of a fix; a worse one, doubled to be sure, takes its place.
    bound_ms = max(late_ms, -(-2 * (report.error_us or 0) // 1000))
    enough = fixes >= FIXES_BEFORE_TIME
    return Trust(fixes, time_ms, report.monotonic_ns, bound_ms if enough else None)


def _doubt(trust: Trust, report: TimeReport, time_ms: int, *, late_ms: int) -> str:
    if not FLOOR_MS <= time_ms < CEILING_MS:
        return "a date that cannot be, as after a rollover of weeks"
    if report.leap_seconds is not None and report.leap_seconds < LEAP_SECONDS_MIN:
        return f"leap seconds {report.leap_seconds}: expected {LEAP_SECONDS_MIN} or more"
    apart_ns = report.monotonic_ns - trust.last_ns
    if trust.fixes and apart_ns >= BURST_NS:
        step_ms = time_ms - trust.last_ms - apart_ns // 1_000_000
        if abs(step_ms) > late_ms:
            return f"a step of {step_ms} ms between two fixes"
    return ""
