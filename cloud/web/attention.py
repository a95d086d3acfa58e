"""What a fresh reading says that needs a person, and what is absent as it should be. Pure.

The hub knows a supply by the name of its point, `<ups>/power`, and by its declared states; what its words
mean is in docs/reference/drivers/ups.md, and so are the bits of `<ups>/flags`.
"""

from decimal import Decimal

from cloud.store.latest import Latest
from cloud.store.points import Point
from cloud.web.words import mark

ON_BATTERY = mark("On battery")
BATTERY_LOW = mark("Battery low")
BATTERY_OLD = mark("Battery to be replaced")
POWER_UNKNOWN = mark("Power unknown")
POWER_FAILING = mark("Power failing")

SUPPLY_WORDS = {
    "battery": ON_BATTERY,
    "battery_low": BATTERY_LOW,
    "low": BATTERY_LOW,
    "unknown": POWER_UNKNOWN,
    "failing": POWER_FAILING,
}
"""States of a supply that need a person, and what is said of them."""
FLAGS = ((1 << 2, BATTERY_LOW), (1 << 4, BATTERY_OLD))
"""Bits of `flags` that need a person: LB and RB of NUT."""


def concern(latest: Latest) -> str | None:
    """Return what needs a person in a reading that is not silent, as a message of the catalogues; or None."""
    point = latest.point
    leaf = point.name.rpartition("/")[2]
    if latest.state == "live" and leaf == "power" and point.kind == "state":
        return SUPPLY_WORDS.get(latest.word or "")
    if latest.state == "absent" and is_supply(point):
        return POWER_UNKNOWN
    if latest.state == "live" and leaf == "flags" and latest.value is not None:
        return next((said for bit, said in FLAGS if int(Decimal(latest.value)) & bit), None)
    return None


def is_supply(point: Point) -> bool:
    """Whether a point says where the power comes from, mains or a battery."""
    return point.name.rpartition("/")[2] == "power" and "battery" in point.states.values()


def is_usual(latest: Latest) -> bool:
    """Whether a value is absent as it should be.

    A receiver gives no course while its vehicle stands; an uplink has no Wi-Fi level while a wire carries it.
    """
    point = latest.point
    wifi = point.quantity == "signal_level" and point.name.rpartition("/")[2] == "signal"
    return (
        (wifi or point.quantity == "course") and latest.state == "absent" and latest.status == "not_measured"
    )
