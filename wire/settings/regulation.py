"""Settings of regulation: what an output is to be, by schedule, by job or by who is there.

Of the wishes of a regulation the first that holds counts; while none does, `otherwise`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, field

from wire.settings.base import Fault, PointPart, Settings

RegulationName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9-]{1,63}$(?!\n)", description="1 to 63 characters of a-z, 0-9, '-'"),
]
ZoneName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]{1,63}$(?!\n)",
        description="1 to 63 characters of a-z, 0-9, '-', as in the rights",
    ),
]
Clock = Annotated[
    str,
    Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)", description="a time of day, as 07:30"),
]
DayWord = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Sequence[DayWord] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES = 1440


class Wish(Settings, frozen=True, kw_only=True):
    """A value, and when it is wished for: one of job, present, count, or a time of day."""

    value: Decimal
    """In the unit of the output; of a switch 1 is on and 0 off."""
    job: ZoneName | None = None
    """While a job runs in this zone."""
    present: ZoneName | None = None
    """While somebody is in this zone, as the doors know it."""
    count: PointPart | None = None
    """While this point counts at least one person."""
    keep_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """With job, present or count: for so long afterwards too."""
    days: Annotated[list[DayWord], Meta(max_length=7)] = field(default_factory=list)
    """With a time of day: on which days it begins; every day when empty."""
    start: Clock | None = None
    end: Clock | None = None
    """Not included; one that is not later than the start is on the next day."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Range of the point under this wish; those of the regulation when neither is given."""

    def faults(self) -> Iterator[Fault]:
        """Not exactly one condition, half a time of day, a range without inside."""
        given = [self.job, self.present, self.count, self.start]
        if sum(one is not None for one in given) != 1:
            yield Fault("value", self.value, "exactly one of job, present, count and start beside it")
        if (self.start is None) != (self.end is None):
            yield Fault("end", self.end, "start and end together")
        if self.days and self.start is None:
            yield Fault("days", list(self.days), "start and end beside it")
        if len(set(self.days)) != len(self.days):
            yield Fault("days", list(self.days), "each day once")
        if self.keep_s and self.start is not None:
            yield Fault("keep_s", self.keep_s, "no such key for a time of day")
        yield from _range_faults(self.low, self.high)


class Correction(Settings, frozen=True, kw_only=True):
    """Moves the value a little further while the point stays out of its range."""

    step: Decimal
    """In the unit of the output, away from where the point is."""
    every_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    most: Decimal
    """No further from the wish than this."""
    opposite: bool = False
    """Whether the point falls when the output rises, as that of a cooler's power does."""

    def faults(self) -> Iterator[Fault]:
        """No step, or one further than allowed at all."""
        if self.step <= 0:
            yield Fault("step", self.step, "a number above 0")
        if self.most < self.step:
            yield Fault("most", self.most, f"at least step ({self.step})")


class RegulationSettings(Settings, frozen=True, kw_only=True):
    """One output, and what it is to be when."""

    name: RegulationName
    output: PointPart
    """Name of the output as the gateway knows it."""
    when: Annotated[list[Wish], Meta(max_length=32)] = field(default_factory=list)
    """In this order: the first that holds counts."""
    otherwise: Decimal | None = None
    """While none holds; absent: it is left as it is."""
    time_zone: Annotated[str, Meta(max_length=64)] = "UTC"
    """For times of day: a name as `Asia/Shanghai`, or an offset as `+08:00`."""
    point: PointPart | None = None
    """What is to come back into its range; absent: an adjustment is closed when the device confirms it."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Its range under every wish that names no other; `otherwise` has none."""
    stale_after_s: Annotated[float, Meta(ge=1, le=86_400)] = 120.0
    """Without a good reading for longer, nobody knows whether it is in range."""
    call_after_s: Annotated[float, Meta(ge=1, le=86_400)] = 900.0
    """Open for longer, a person is called."""
    correction: Correction | None = None

    def faults(self) -> Iterator[Fault]:
        """Nothing wished for, a range without a point, a time zone that nobody knows."""
        if not self.when and self.otherwise is None:
            yield Fault("when", [], "a wish, or otherwise")
        ranges = [(one.low, one.high) for one in self.when] + [(self.low, self.high)]
        ranged = any(low is not None or high is not None for low, high in ranges)
        if ranged and self.point is None:
            yield Fault("point", None, "a point, since a range is given")
        if self.point is not None and not ranged:
            yield Fault("low", None, "low, high or both: the range of the point")
        if self.correction is not None and self.point is None:
            yield Fault("correction", None, "a point with a range to correct by")
        yield from _range_faults(self.low, self.high)
        try:
            zone_of(self.time_zone)
        except ValueError:
            yield Fault("time_zone", self.time_zone, "a name as Asia/Shanghai, or an offset as +08:00")


Regulations = Annotated[list[RegulationSettings], Meta(max_length=64)]


def _range_faults(low: Decimal | None, high: Decimal | None) -> Iterator[Fault]:
    if low is not None and high is not None and not low < high:
        yield Fault("low", low, f"below high ({high})")


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name or offset; `ValueError` when there is none."""
    if name == "UTC":
        return UTC
    if name[:1] in "+-" and name:
        hours = datetime.strptime(name[1:], "%H:%M").replace(tzinfo=UTC)
        offset = timedelta(hours=hours.hour, minutes=hours.minute)
        return timezone(-offset if name[0] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError(f"time zone {name}") from None


def minute_of(clock: str) -> int:
    """Return the minute of the day."""
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def regulation_faults(
    regulations: Sequence[RegulationSettings], owned: Iterable[tuple[str, str]]
) -> Iterator[Fault]:
    """Yield outputs that two regulations want; `owned` are outputs of doors, with who has them."""
    owners = dict(owned)
    for index, one in enumerate(regulations):
        if one.output in owners:
            expected = f"an output that {owners[one.output]} does not have"
            yield Fault(f"regulation[{index}].output", one.output, expected)
        owners.setdefault(one.output, f"regulation {one.name}")
