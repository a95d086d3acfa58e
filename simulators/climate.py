"""A room that answers to its air conditioner and humidifier, and an instrument that draws power when used.

What a room is by itself comes from `simulators.world`, a pure function of seed and time. What its devices did
to it is carried along in steps of a second: the same commands at the same times give the same room.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from simulators.world import Air, World, wander

CATCH_UP_S = 7200
"""A room that nobody looked at for longer has come to rest."""
TAU_S = 900.0
"""How fast a room forgets what its devices did."""
COOLING_K_PER_S = 0.02
RAMP_K = 8.0
"""So much warmer a room becomes while something heats it that should not."""
RAMP_K_PER_S = 1.0
LEAK_PPM = 4000.0
MOISTURE_PER_S = 0.05
DRYING_PER_S = 0.004
AC_POWER_W = 900.0


@dataclass(slots=True)
class Settings:
    """What the devices of a room were told; they keep it while the mains are away."""

    ac_on: float = 0.0
    ac_setpoint: float = 22.0
    humidifier_on: float = 0.0
    humidifier_setpoint: float = 50.0


@dataclass(slots=True)
class Room:
    """One room with its devices; `mains` says whether they have power."""

    world: World
    name: str
    mains: Callable[[], bool] = lambda: True
    settings: Settings = field(default_factory=Settings)
    heated: bool = False
    """Whether something heats it that should not: a ramp, and one back when that is mended."""
    leaking: bool = False
    """Whether gas leaks into it."""
    _ramp: float = 0.0
    _warmer: float = 0.0
    _moister: float = 0.0
    _effort: float = 0.0
    """Of the air conditioner, -1 (cools) to 1 (heats)."""
    _at_s: int | None = None

    def tell(self, name: str, number: float) -> None:
        """Tell a device of the room something; `AttributeError` for a name that none has."""
        getattr(self.settings, name)
        setattr(self.settings, name, number)

    def happen(self, *, heated: bool | None = None, leaking: bool | None = None) -> None:
        """Have something go wrong in it, or have it mended."""
        self.heated = self.heated if heated is None else heated
        self.leaking = self.leaking if leaking is None else leaking

    def value(self, name: str, time_s: float) -> float:
        """Return what a value of the room or of its devices is; time must not go back."""
        if name == "ac_power":
            self._advance(math.floor(time_s))
            return 8.0 + AC_POWER_W * abs(self._effort)
        if name == "gas_concentration":
            trace = 15 + 10 * wander(f"{self.world.seed}/{self.name}/gas", time_s, 60)
            return trace + LEAK_PPM * self.leaking
        if name == "gas_alarm":
            return float(self.leaking)
        if hasattr(self.settings, name):
            number: float = getattr(self.settings, name)
            return number
        return self.air(time_s).value(name)

    def air(self, time_s: float) -> Air:
        """Return the room's air with what its devices did to it."""
        self._advance(math.floor(time_s))
        base = self.world.air(self.name, time_s, mains=self.mains())
        return replace(
            base,
            temperature=base.temperature + self._warmer + self._ramp,
            relative_humidity=min(99.0, max(1.0, base.relative_humidity + self._moister)),
        )

    def _advance(self, second: int) -> None:
        if self._at_s is None or second - self._at_s > CATCH_UP_S:
            self._warmer = self._moister = self._effort = 0.0
            self._ramp = RAMP_K if self.heated else 0.0
            self._at_s = second if self._at_s is None else second - CATCH_UP_S
        while self._at_s < second:
            self._at_s += 1
            self._step(self._at_s)

    def _step(self, second: int) -> None:
        settings, powered = self.settings, self.mains()
        goal = RAMP_K if self.heated else 0.0
        self._ramp += max(-RAMP_K_PER_S, min(RAMP_K_PER_S, goal - self._ramp))
        if not (settings.ac_on or settings.humidifier_on or self._warmer or self._moister or self._ramp):
            self._effort = 0.0
            return
        base = self.world.air(self.name, second, mains=powered)
        wish = settings.ac_setpoint - base.temperature - self._warmer - self._ramp
        self._effort = max(-1.0, min(1.0, wish / 0.5)) if settings.ac_on and powered else 0.0
        self._warmer += COOLING_K_PER_S * self._effort - self._warmer / TAU_S
        thirst = settings.humidifier_setpoint - base.relative_humidity - self._moister
        wet = max(0.0, min(1.0, thirst / 2)) if settings.humidifier_on and powered else 0.0
        dried = DRYING_PER_S * max(0.0, -self._effort)
        self._moister += MOISTURE_PER_S * wet - dried - self._moister / TAU_S


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument on a power meter: idle, and in use once every `period_s`, the same for the same key."""

    key: str
    used_w: float = 220.0
    idle_w: float = 3.0
    period_s: int = 2700
    used_s: int = 1200
    counted_from_s: int = 1_767_225_600
    """When its meter was new: 2026-01-01."""

    def value(self, name: str, time_s: float) -> float:
        """Return power (W), energy (kWh), voltage (V), current (A) or frequency (Hz); `KeyError`."""
        power = self.used_w if self.in_use(time_s) else self.idle_w
        voltage = 230 + 2 * wander(f"{self.key}/u", time_s, 60)
        return {
            "power": power,
            "energy": self._energy_kwh(time_s),
            "voltage": voltage,
            "current": power / voltage,
            "frequency": 50 + 0.03 * wander(f"{self.key}/f", time_s, 15),
            "power_factor": 1.0,
        }[name]

    def in_use(self, time_s: float) -> bool:
        """Whether it is in use."""
        start_s = self._start_s(math.floor(time_s / self.period_s))
        return start_s <= time_s < start_s + self.used_s

    def _start_s(self, period: int) -> float:
        spare = self.period_s - self.used_s
        shift = (wander(f"{self.key}/start", float(period), 1) + 1) / 2
        return period * self.period_s + round(shift * (spare - 1))

    def _energy_kwh(self, time_s: float) -> float:
        def used_until(moment_s: float) -> float:
            period = math.floor(moment_s / self.period_s)
            within = max(0.0, min(self.used_s, moment_s - self._start_s(period)))
            return period * self.used_s + within

        used_s = used_until(time_s) - used_until(self.counted_from_s)
        idle_s = time_s - self.counted_from_s - used_s
        return (used_s * self.used_w + idle_s * self.idle_w) / 3.6e6


@dataclass(slots=True)
class Use:
    """An instrument that somebody may take into use or leave alone, whatever it does by itself."""

    instrument: Instrument
    told: Literal["by itself", "used", "idle"] = "by itself"
    _since_s: float = 0.0
    _ahead_kwh: float = 0.0
    """So much more was drawn than it would have been by itself."""

    def tell(self, what: Literal["by itself", "used", "idle"], time_s: float) -> None:
        """Have it used, idle, or left to itself, from now on."""
        self._ahead_kwh = self.value("energy", time_s) - self.instrument.value("energy", time_s)
        self.told, self._since_s = what, time_s

    def value(self, name: str, time_s: float) -> float:
        """Return a value as an instrument does; its energy never falls. `KeyError`."""
        if self.told == "by itself":
            ahead = self._ahead_kwh if name == "energy" else 0.0
            return self.instrument.value(name, time_s) + ahead
        power = self.instrument.used_w if self.told == "used" else self.instrument.idle_w
        if name == "power":
            return power
        if name == "current":
            return power / self.instrument.value("voltage", time_s)
        if name == "energy":
            begun = self.instrument.value("energy", self._since_s) + self._ahead_kwh
            return begun + power * (time_s - self._since_s) / 3.6e6
        return self.instrument.value(name, time_s)
