"""A simulated room does what its devices are told, and an instrument on a meter is used again and again."""

import pytest

from simulators.climate import Instrument, Room, Use
from simulators.world import World

NOON = 1_789_000_000.0


def test_room_that_is_told_nothing_is_the_worlds() -> None:
    room = Room(World(1), "room")
    for second in range(0, 7200, 600):
        assert room.air(NOON + second) == World(1).air("room", NOON + second)
    assert room.value("ac_power", NOON + 7200) == 8


def test_same_commands_at_the_same_times_give_the_same_room() -> None:
    def story(step_s: float) -> float:
        room = Room(World(1), "room")
        at = NOON
        room.air(at)
        room.tell("ac_setpoint", 17.0)
        room.tell("ac_on", 1.0)
        while at < NOON + 900:
            at += step_s
            room.air(at)
        return room.air(NOON + 900).temperature

    assert story(0.25) == story(90) == story(900)


def test_room_that_is_heated_by_mistake_warms_and_comes_back_when_that_is_mended() -> None:
    room, world = Room(World(1), "room"), World(1)
    room.air(NOON)
    room.happen(heated=True)
    assert 4.9 < room.air(NOON + 5).temperature - world.air("room", NOON + 5).temperature < 5.1
    assert 7.9 < room.air(NOON + 60).temperature - world.air("room", NOON + 60).temperature < 8.1
    room.happen(heated=False)
    assert abs(room.air(NOON + 100).temperature - world.air("room", NOON + 100).temperature) < 0.1


def test_gas_that_leaks_is_measured_and_told_until_it_is_cleared() -> None:
    room = Room(World(1), "room")
    assert (room.value("gas_concentration", NOON) < 30, room.value("gas_alarm", NOON)) == (True, 0.0)
    room.happen(leaking=True)
    assert (room.value("gas_concentration", NOON) > 4000, room.value("gas_alarm", NOON)) == (True, 1.0)
    room.happen(leaking=False)
    assert room.value("gas_alarm", NOON) == 0.0


def test_cooling_takes_power_and_dries() -> None:
    room = Room(World(1), "room")
    before = room.air(NOON)
    room.tell("ac_setpoint", 16.0)
    room.tell("ac_on", 1.0)
    assert room.value("ac_power", NOON + 60) > 500
    after = room.air(NOON + 300)
    assert after.temperature < before.temperature - 1
    assert after.relative_humidity < before.relative_humidity
    room.tell("ac_on", 0.0)
    away = room.air(NOON + 4 * 3600)
    assert abs(away.temperature - World(1).air("room", NOON + 4 * 3600).temperature) < 0.1


def test_devices_without_mains_do_nothing() -> None:
    room = Room(World(1), "room", mains=lambda: False)
    room.air(NOON)
    room.tell("ac_on", 1.0)
    room.tell("humidifier_on", 1.0)
    assert room.air(NOON + 600) == World(1).air("room", NOON + 600, mains=False)


def test_device_that_is_not_there_cannot_be_told() -> None:
    with pytest.raises(AttributeError):
        Room(World(1), "room").tell("fan", 1.0)


def test_instrument_takes_the_energy_of_its_power() -> None:
    instrument = Instrument("seed/meter")
    energy = sum(instrument.value("power", NOON + second + 0.5) for second in range(9000)) / 3.6e6
    counted = instrument.value("energy", NOON + 9000) - instrument.value("energy", NOON)
    assert abs(energy - counted) < 1e-4
    used = [instrument.in_use(NOON + second) for second in range(0, 9 * 2700, 10)]
    assert sum(used) == pytest.approx(len(used) * 1200 / 2700, rel=0.1)


def test_use_by_somebody_goes_before_the_instruments_own_and_energy_never_falls() -> None:
    instrument = Instrument("1/x")
    use = Use(instrument)
    start = 1_789_000_000.0
    energies = [use.value("energy", start)]
    for second, what in ((0, "used"), (60, "idle"), (120, "used"), (600, "by itself")):
        use.tell(what, start + second)
        energies += [use.value("energy", start + second + more) for more in (0, 10, 50)]
        if what != "by itself":
            power = instrument.used_w if what == "used" else instrument.idle_w
            assert use.value("power", start + second + 1) == power
            assert use.value("current", start + second + 1) * use.value("voltage", start + second + 1) == (
                pytest.approx(power)
            )
    assert energies == sorted(energies)
    assert use.value("power", start + 700) == instrument.value("power", start + 700)


def test_used_instrument_draws_the_energy_of_its_power() -> None:
    use = Use(Instrument("1/x"))
    start = 1_789_000_000.0
    use.tell("used", start)
    drawn = use.value("energy", start + 3600) - use.value("energy", start)
    assert drawn == pytest.approx(0.22)
