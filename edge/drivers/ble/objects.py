"""What the object ids of BTHome v2 mean: a table, and nothing else.

Source: BTHome v2 format, bthome.io/format (object ids 0x00 to 0x64). An object that Heng has no quantity for
is decoded all the same; it can feed no point.
"""

from dataclasses import dataclass
from types import MappingProxyType

PACKET_ID = 0x00
BUTTON = 0x3A
DIMMER = 0x3C
TEXT = 0x53
RAW = 0x54

BUTTON_WORDS = MappingProxyType(
    {
        0x00: "none",
        0x01: "press",
        0x02: "double_press",
        0x03: "triple_press",
        0x04: "long_press",
        0x05: "long_double_press",
        0x06: "long_triple_press",
        0x80: "hold_press",
    }
)
DIMMER_WORDS = MappingProxyType({0x00: "none", 0x01: "rotate_left", 0x02: "rotate_right"})


@dataclass(frozen=True, slots=True)
class Object:
    """A number of `size` bytes, little endian: value = raw * factor * 10**exponent."""

    name: str
    size: int
    exponent: int = 0
    signed: bool = False
    factor: int = 1


_NUMBERS = (
    (0x00, Object("packet_id", 1)),
    (0x01, Object("battery", 1)),
    (0x02, Object("temperature", 2, -2, signed=True)),
    (0x03, Object("humidity", 2, -2)),
    (0x04, Object("pressure", 3, -2)),
    (0x05, Object("illuminance", 3, -2)),
    (0x06, Object("mass_kg", 2, -2)),
    (0x07, Object("mass_lb", 2, -2)),
    (0x08, Object("dew_point", 2, -2, signed=True)),
    (0x09, Object("count", 1)),
    (0x0A, Object("energy", 3, -3)),
    (0x0B, Object("power", 3, -2)),
    (0x0C, Object("voltage", 2, -3)),
    (0x0D, Object("pm2_5", 2)),
    (0x0E, Object("pm10", 2)),
    (0x12, Object("co2", 2)),
    (0x13, Object("voc", 2)),
    (0x14, Object("moisture", 2, -2)),
    (0x2E, Object("humidity", 1)),
    (0x2F, Object("moisture", 1)),
    (0x3D, Object("count", 2)),
    (0x3E, Object("count", 4)),
    (0x3F, Object("rotation", 2, -1, signed=True)),
    (0x40, Object("distance_mm", 2)),
    (0x41, Object("distance_m", 2, -1)),
    (0x42, Object("duration", 3, -3)),
    (0x43, Object("current", 2, -3)),
    (0x44, Object("speed", 2, -2)),
    (0x45, Object("temperature", 2, -1, signed=True)),
    (0x46, Object("uv_index", 1, -1)),
    (0x47, Object("volume", 2, -1)),
    (0x48, Object("volume", 2, -3)),
    (0x49, Object("volume_flow", 2, -3)),
    (0x4A, Object("voltage", 2, -1)),
    (0x4B, Object("gas_volume", 3, -3)),
    (0x4C, Object("gas_volume", 4, -3)),
    (0x4D, Object("energy", 4, -3)),
    (0x4E, Object("volume", 4, -3)),
    (0x4F, Object("water", 4, -3)),
    (0x50, Object("timestamp", 4)),
    (0x51, Object("acceleration", 2, -3)),
    (0x52, Object("gyroscope", 2, -3)),
    (0x55, Object("volume_storage", 4, -3)),
    (0x56, Object("conductivity", 2)),
    (0x57, Object("temperature", 1, signed=True)),
    (0x58, Object("temperature", 1, -2, signed=True, factor=35)),
    (0x59, Object("count", 1, signed=True)),
    (0x5A, Object("count", 2, signed=True)),
    (0x5B, Object("count", 4, signed=True)),
    (0x5C, Object("power", 4, -2, signed=True)),
    (0x5D, Object("current", 2, -3, signed=True)),
    (0x5E, Object("direction", 2, -2)),
    (0x5F, Object("precipitation", 2, -1)),
    (0x60, Object("channel", 1)),
    (0x61, Object("rotational_speed", 2)),
    (0x62, Object("speed", 4, -6, signed=True)),
    (0x63, Object("acceleration", 4, -6, signed=True)),
    (0x64, Object("light_level", 1)),
)

_STATES = (
    (0x0F, "generic", "off", "on"),
    (0x10, "powered", "off", "on"),
    (0x11, "opening", "closed", "open"),
    (0x15, "battery_low", "normal", "low"),
    (0x16, "charging", "not_charging", "charging"),
    (0x17, "carbon_monoxide", "clear", "detected"),
    (0x18, "cold", "normal", "cold"),
    (0x19, "connectivity", "disconnected", "connected"),
    (0x1A, "door", "closed", "open"),
    (0x1B, "garage_door", "closed", "open"),
    (0x1C, "gas", "clear", "detected"),
    (0x1D, "heat", "normal", "hot"),
    (0x1E, "light", "dark", "light"),
    (0x1F, "lock", "locked", "unlocked"),
    (0x20, "wet", "dry", "wet"),
    (0x21, "motion", "clear", "detected"),
    (0x22, "moving", "standing", "moving"),
    (0x23, "occupancy", "clear", "detected"),
    (0x24, "plug", "unplugged", "plugged_in"),
    (0x25, "presence", "away", "home"),
    (0x26, "problem", "ok", "problem"),
    (0x27, "running", "not_running", "running"),
    (0x28, "safety", "unsafe", "safe"),
    (0x29, "smoke", "clear", "detected"),
    (0x2A, "sound", "clear", "detected"),
    (0x2B, "tamper", "off", "on"),
    (0x2C, "vibration", "clear", "detected"),
    (0x2D, "window", "closed", "open"),
)

OBJECTS = MappingProxyType(dict(_NUMBERS) | {row[0]: Object(row[1], 1) for row in _STATES})
"""Object id -> how it is read."""

STATES = MappingProxyType({name: {"0": off, "1": on} for _, name, off, on in _STATES})
"""Name of a binary object -> words of its states."""

POINTS = MappingProxyType(
    {
        "battery": ("battery_charge", 0),
        "temperature": ("temperature", -2),
        "humidity": ("relative_humidity", -2),
        "pressure": ("pressure", -2),
        "illuminance": ("illuminance", -2),
        "dew_point": ("dew_point", -2),
        "count": ("count", 0),
        "energy": ("energy", -3),
        "power": ("power", -2),
        "voltage": ("voltage", -3),
        "pm2_5": ("pm2_5", 0),
        "pm10": ("pm10", 0),
        "co2": ("co2", 0),
        "current": ("current", -3),
        "duration": ("duration", -3),
        "speed": ("speed", -6),
        "acceleration": ("acceleration", -6),
        "uv_index": ("dimensionless", -1),
        "rotational_speed": ("rotational_speed", 0),
    }
    | dict.fromkeys(STATES, ("state", 0))
)
"""Name -> quantity and the exponent in which every object of that name is a whole number."""
