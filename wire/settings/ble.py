"""Settings of the `ble` driver: radio, sensors, tags and badges. It reads no file."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from wire.settings.base import DeviceName, Fault, Settings
from wire.settings.modbus import PointPart

Address = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-F]{2}(:[0-9A-F]{2}){5}$(?!\n)",
        description="six bytes in upper-case hex with colons, as in CB:B8:33:4C:88:4F",
    ),
]
AdapterName = Annotated[
    str,
    Meta(
        pattern=r"^(hci[0-9]{1,3}|[0-9A-F]{2}(:[0-9A-F]{2}){5})$(?!\n)",
        description="hci0, hci1, … or the adapter's own address",
    ),
]
Uuid = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$(?!\n)", description="a lower-case UUID")
]
Number16 = Annotated[int, Meta(ge=0, le=65535)]
Dbm = Annotated[int, Meta(ge=-120, le=0)]

RUUVI_POINTS = (
    "temperature",
    "humidity",
    "pressure",
    "acceleration_x",
    "acceleration_y",
    "acceleration_z",
    "battery_voltage",
    "tx_power",
    "movement",
    "sequence",
    "missed",
)
RUUVI_DEFAULT = ("temperature", "humidity", "pressure", "battery_voltage", "sequence")
RUUVI_WATCHDOG_S = 10
"""RuuviTags advertise every 1.3 s."""
SENSORLESS_WATCHDOG_S = 90
"""Without a sensor nothing may be in reach for long."""


class BleSensor(Settings, frozen=True, kw_only=True):
    """One sensor that advertises what it measures."""

    prefix: PointPart
    """First part of the names of its points."""
    address: Address
    format: Literal["ruuvi", "bthome"]
    points: list[PointPart] = field(default_factory=list)
    """Which values are read; for RuuviTags the usual ones when empty."""
    period_ms: Annotated[int, Meta(ge=100, le=86_400_000)] = 10_000
    """How often a reading is due; at most one is taken in each period. Silent means three without one."""
    comes_by_itself: bool = False
    """For buttons, doors and the like, which send when something happens: no reading is ever due."""
    key_file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$(?!\n)")] | None = None
    """File with the 32 hex digits of the bind key, in `<data folder>/<name of the device>`."""
    counter_reset: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """Raise it by one to accept, once, a counter that begins anew (after a change of the battery)."""

    @property
    def due_ms(self) -> int | None:
        """How often a reading is due; None when it comes by itself."""
        return None if self.comes_by_itself else self.period_ms

    @property
    def chosen(self) -> list[str]:
        """The points it feeds."""
        return self.points or list(RUUVI_DEFAULT)

    def faults(self) -> Iterator[Fault]:
        """Points that the format does not have, and settings of the other format."""
        for index, point in enumerate(self.points):
            if point in self.points[:index]:
                yield Fault(f"points[{index}]", point, "each point once")
        if self.format == "bthome":
            if not self.points:
                yield Fault("points", self.points, "at least one point; BTHome devices differ")
            return
        for index, point in enumerate(self.points):
            if point not in RUUVI_POINTS:
                yield Fault(f"points[{index}]", point, f"one of {', '.join(RUUVI_POINTS)}")
        for name, value, default in (
            ("key_file", self.key_file, None),
            ("counter_reset", self.counter_reset, 0),
            ("comes_by_itself", self.comes_by_itself, False),
        ):
            if value != default:
                yield Fault(name, value, "nothing; only BTHome devices have it")


class BleTag(Settings, frozen=True, kw_only=True):
    """One asset tag or person badge whose presence in the zone is followed."""

    name: PointPart
    """Subject of its events; its state is the point `<name>/presence`."""
    kind: Literal["asset", "badge"] = "asset"
    uuid: Uuid | None = None
    major: Number16 | None = None
    minor: Number16 | None = None
    """Of an iBeacon."""
    namespace: Annotated[str, Meta(pattern=r"^[0-9a-f]{20}$(?!\n)")] | None = None
    instance: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}$(?!\n)")] | None = None
    """Of an Eddystone-UID beacon, in hex."""

    def identity(self) -> tuple[object, ...]:
        """Return what its advertisements say."""
        return (self.uuid, self.major, self.minor, self.namespace, self.instance)

    def faults(self) -> Iterator[Fault]:
        """An identity that is neither of an iBeacon nor of an Eddystone-UID beacon."""
        parts = tuple(part is not None for part in self.identity())
        if parts not in ((True, True, True, False, False), (False, False, False, True, True)):
            yield Fault("uuid", self.uuid, "uuid, major and minor, or namespace and instance")


class BlePresence(Settings, frozen=True, kw_only=True):
    """When a tag counts as inside: smoothed signal levels with a hysteresis, and times."""

    enter_dbm: Dbm = -75
    leave_dbm: Dbm = -83
    smoothing_s: Annotated[float, Meta(ge=0.1, le=600)] = 4.0
    """Time constant of the smoothing."""
    enter_s: Annotated[float, Meta(ge=0, le=600)] = 3.0
    leave_s: Annotated[float, Meta(ge=1, le=3600)] = 20.0
    """So long below leave_dbm, or not heard, is gone."""
    dwell_s: Annotated[float, Meta(ge=1, le=86_400)] = 60.0
    period_ms: Annotated[int, Meta(ge=1000, le=3_600_000)] = 10_000
    """How often the state of every tag is recorded."""

    def faults(self) -> Iterator[Fault]:
        """Levels without a hysteresis."""
        if self.leave_dbm >= self.enter_dbm:
            yield Fault("leave_dbm", self.leave_dbm, f"less than enter_dbm ({self.enter_dbm})")


class BleDevice(Settings, frozen=True, kw_only=True, tag_field="driver", tag="ble"):
    """One BLE radio, or several of which one listens."""

    name: DeviceName
    adapters: Annotated[list[AdapterName], Meta(max_length=8)] = field(default_factory=list)
    """Which adapters may listen, the preferred one first; every adapter of the machine when empty."""
    watchdog_s: Annotated[int, Meta(ge=2, le=86_400)] | None = None
    """Nothing heard from anybody for so long: the radio hangs. Made from the sensors when absent."""
    zone: PointPart = "here"
    """What the reach of this radio is called in events of tags."""
    candidates: bool = True
    """Whether sensors and tags that are not configured are told."""
    sensor: Annotated[list[BleSensor], Meta(max_length=200)] = field(default_factory=list)
    tag: Annotated[list[BleTag], Meta(max_length=500)] = field(default_factory=list)
    presence: BlePresence = BlePresence()

    names_once: ClassVar = {
        "sensor": ("address", "an address that is used once"),
        "tag": ("name", "a name that is used once"),
    }

    @property
    def patience_s(self) -> float:
        """How long nothing at all may be heard."""
        if self.watchdog_s is not None:
            return self.watchdog_s
        if any(sensor.format == "ruuvi" for sensor in self.sensor):
            return RUUVI_WATCHDOG_S
        periods = [sensor.due_ms for sensor in self.sensor if sensor.due_ms is not None]
        return max(RUUVI_WATCHDOG_S, 3 * min(periods) / 1000) if periods else SENSORLESS_WATCHDOG_S

    def faults(self) -> Iterator[Fault]:
        """Nothing to listen for, an adapter or an identity twice, names of points that meet."""
        if not self.sensor and not self.tag and not self.candidates:
            yield Fault("sensor", [], "at least one sensor or tag, or candidates = true")
        for index, adapter in enumerate(self.adapters):
            if adapter in self.adapters[:index]:
                yield Fault(f"adapters[{index}]", adapter, "each adapter once")
        identities = [tag.identity() for tag in self.tag]
        for index, identity in enumerate(identities):
            if identity in identities[:index]:
                yield Fault(f"tag[{index}]", self.tag[index].name, "an identity that no other tag has")
        taken = {f"{tag.name}/presence": f"tag[{index}]" for index, tag in enumerate(self.tag)}
        for index, sensor in enumerate(self.sensor):
            names = {f"{sensor.prefix}/{point}" for point in sensor.chosen}
            if held := sorted(names & taken.keys()):
                expected = f"a prefix under which its names are free; {taken[held[0]]} has {held[0]}"
                yield Fault(f"sensor[{index}].prefix", sensor.prefix, expected)
            taken = dict.fromkeys(names, f"sensor[{index}]") | taken


def adapters_shared(devices: Sequence[object]) -> Iterator[Fault]:
    """Yield devices that want an adapter of an earlier one; a device that names none wants them all."""
    earlier: list[BleDevice] = []
    for index, device in enumerate(devices):
        if not isinstance(device, BleDevice):
            continue
        for other in earlier:
            if not device.adapters or not other.adapters or set(device.adapters) & set(other.adapters):
                expected = (
                    f"adapters of its own; {other.name} listens with {', '.join(other.adapters) or 'all'}"
                )
                yield Fault(f"device[{index}].adapters", device.adapters, expected)
        earlier.append(device)
