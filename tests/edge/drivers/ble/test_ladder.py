"""The recovery ladder and the watchdog, without a radio."""

from edge.drivers.ble.ladder import Ladder, Quiet, Step, Timings


def test_ladder_tries_every_step_and_then_pauses_longer() -> None:
    ladder = Ladder(Timings(pause_s=0.5, longest_pause_s=8))
    assert [ladder.up() for _ in range(5)] == [*Step, None]
    pauses = []
    for _ in range(6):
        pauses.append(ladder.pause_s())
        while ladder.up() is not None:
            assert ladder.pause_s() == 0.5
    assert pauses == [1, 2, 4, 8, 8, 8]
    ladder.down()
    assert (ladder.climbs, ladder.last, ladder.pause_s()) == (0, None, 0.5)


def test_silence_that_is_normal_here_is_learned() -> None:
    quiet = Quiet(patience_s=180, settle_s=4)
    assert (quiet.allowed_s(recovering=False), quiet.allowed_s(recovering=True)) == (180, 72)
    for second in range(0, 300, 20):
        quiet.heard(second * 10**9)
    assert quiet.allowed_s(recovering=True) == 60
    quiet.broken()
    quiet.heard(10**13)
    for step in range(1, 400):
        quiet.heard(10**13 + step * 10**8)
    assert quiet.allowed_s(recovering=True) == 4
