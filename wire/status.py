"""The fixed words for the state of a reading and the cause of a gap; numbers are on disk and never reused."""

from enum import IntEnum, StrEnum


class Status(IntEnum):
    """State of one reading. Below 16 the value is present; from 16 on it is absent, and this is why."""

    GOOD = 0
    IMPLAUSIBLE = 1
    """Outside the plausible range of its quantity; the value is kept as the device gave it."""
    TIME_BRACKETED = 2
    """The boot never found time; placed between its neighbours, the bound is kept with the batch."""
    NOT_MEASURED = 16
    """The device says that it did not measure this."""
    INVALID = 17
    """The device gave its invalid pattern, not-a-number or something that is no value."""
    OVER_RANGE = 18
    UNDER_RANGE = 19
    DEVICE_ERROR = 20
    """The device answered with an error of its own."""
    STALE = 21
    """The device says that its value is old."""
    UNKNOWN = 22
    """The state cannot be known (power unknown after a lost UPS, for example)."""

    @property
    def absent(self) -> bool:
        """Whether a reading of this state has no value."""
        return self >= 16


class GapCause(StrEnum):
    """Why there are no readings over a stretch of time."""

    SENSOR = "sensor"
    RADIO = "radio"
    BUS = "bus"
    GATEWAY = "gateway"
    POWER = "power"
    STORAGE = "storage"
    CLOCK = "clock"
    HUB = "hub"
    MAINTENANCE = "maintenance"


class ClockState(StrEnum):
    """How far a gateway's clock can be trusted."""

    UNSYNCHRONISED = "unsynchronised"
    SYNCHRONISED = "synchronised"
    HOLDOVER = "holdover"


class PointKind(StrEnum):
    """What the counts of a point mean."""

    ANALOG = "analog"
    STATE = "state"
    COUNTER = "counter"
