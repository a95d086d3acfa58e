"""What is true: rooms, the mains and vehicles, as pure functions of a seed and of time.

The same seed and time give the same truth, in any order and on any machine. Nothing here knows a
protocol; devices encode the truth, faults distort it. Time is in seconds since 1970, UTC.
"""

import math
import random
from dataclasses import dataclass
from functools import lru_cache

DAY_S = 86_400
SITE_TIME_ZONE_S = 8 * 3600
"""Working hours follow China Standard Time."""


@dataclass(frozen=True, slots=True)
class Air:
    """What a room is like, in the units of `wire.quantities`."""

    temperature: float
    relative_humidity: float
    dew_point: float
    absolute_humidity: float
    pressure: float
    illuminance: float
    sound_level: float
    vibration: float
    air_speed: float
    co2: float
    flow_rate: float
    electric_field: float
    supply_voltage: float
    supply_frequency: float

    def value(self, name: str) -> float:
        """Return one of them by name."""
        number: float = getattr(self, name)
        return number


@lru_cache(maxsize=65_536)
def _node(key: str, index: int) -> float:
    return random.Random(f"{key}/{index}").uniform(-1.0, 1.0)


def wander(key: str, time_s: float, period_s: float) -> float:
    """Return smooth noise from -1 to 1 that changes over `period_s`, the same for the same key and time."""
    place = time_s / period_s
    index = math.floor(place)
    part = place - index
    blend = part * part * (3 - 2 * part)
    return _node(key, index) * (1 - blend) + _node(key, index + 1) * blend


@dataclass(frozen=True, slots=True)
class World:
    """The truth of one seed."""

    seed: int

    def air(self, room: str, time_s: float, *, mains: bool = True) -> Air:
        """Return the air of a room. Without mains its lights are out and its fan stands."""
        key = f"{self.seed}/{room}"
        base = random.Random(key)
        local_s = (time_s + SITE_TIME_ZONE_S) % DAY_S
        warm = math.sin((local_s / DAY_S - 0.375) * math.tau)
        busy = 7.5 * 3600 < local_s < 18.5 * 3600
        swing = 2 * abs((time_s / 840 + base.random()) % 1 - 0.5) - 0.5
        temperature = (
            20.0
            + base.uniform(-0.4, 0.4)
            + 0.35 * warm
            + 0.5 * swing * mains
            + 0.15 * wander(f"{key}/t", time_s, 600)
            + 0.01 * wander(f"{key}/tn", time_s, 1)
        )
        humidity = (
            50
            + base.uniform(-4, 4)
            - 2.5 * warm
            - 3 * swing * mains
            + 2 * wander(f"{key}/h", time_s, 900)
            + 0.1 * wander(f"{key}/hn", time_s, 1)
        )
        dew_point, absolute = _moisture(temperature, humidity)
        light = (480 + base.uniform(-60, 60)) * busy + 40 + 60 * max(0.0, warm)
        return Air(
            temperature=temperature,
            relative_humidity=humidity,
            dew_point=dew_point,
            absolute_humidity=absolute,
            pressure=1008
            + 6 * wander(f"{self.seed}/p", time_s, 6 * 3600)
            + 0.05 * wander(f"{key}/pn", time_s, 1),
            illuminance=max(0.0, light * mains + 8 * wander(f"{key}/l", time_s, 30) + 9),
            sound_level=34 + 9 * busy + 5 * mains + 3 * wander(f"{key}/s", time_s, 4),
            vibration=0.12 + 0.05 * mains + 0.04 * wander(f"{key}/v", time_s, 2),
            air_speed=0.06 + (0.12 + 0.05 * wander(f"{key}/a", time_s, 20)) * mains,
            co2=520 + 260 * busy + 90 * wander(f"{key}/c", time_s, 1200),
            flow_rate=(4.8 + 0.4 * wander(f"{key}/q", time_s, 45)) * mains,
            electric_field=1.2 + 0.6 * mains + 0.3 * wander(f"{key}/e", time_s, 10),
            supply_voltage=(229.5 + 3.5 * wander(f"{self.seed}/u", time_s, 60)) * mains,
            supply_frequency=(50 + 0.04 * wander(f"{self.seed}/f", time_s, 15)) * mains,
        )


def _moisture(temperature: float, humidity: float) -> tuple[float, float]:
    """Return dew point (degree Celsius) and absolute humidity (g/m3). Source: Magnus formula, WMO-No. 8."""
    pressure = humidity / 100 * 6.112 * math.exp(17.62 * temperature / (243.12 + temperature))
    logarithm = math.log(pressure / 6.112)
    return 243.12 * logarithm / (17.62 - logarithm), 216.7 * pressure / (273.15 + temperature)
