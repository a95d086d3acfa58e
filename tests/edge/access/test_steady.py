"""The clock of durations goes on over restarts and never back; without power as far as that is known."""

from edge.access.steady import Steady

BOOT, OTHER = b"a" * 16, b"b" * 16
DAY_MS = 86_400_000


class Clock:
    def __init__(self, kept: dict[str, bytes], boot: bytes, *, tick: int, utc: int | None) -> None:
        self.tick, self.utc = tick, utc
        self.steady = Steady(
            boot=boot,
            now_tick=lambda: self.tick,
            utc_ms=lambda: self.utc,
            remember=kept.__setitem__,
            recall=kept.get,
        )


def test_restart_within_a_boot_changes_nothing() -> None:
    kept: dict[str, bytes] = {}
    before = Clock(kept, BOOT, tick=1000, utc=None)
    assert before.steady.now_ms() == 10_000
    before.steady.keep()
    assert Clock(kept, BOOT, tick=1500, utc=None).steady.now_ms() == 15_000


def test_time_without_power_counts_where_utc_was_trusted_before_and_after() -> None:
    kept: dict[str, bytes] = {}
    before = Clock(kept, BOOT, tick=100_000, utc=DAY_MS)
    before.steady.keep()
    after = Clock(kept, OTHER, tick=500, utc=DAY_MS + 60_000)
    assert after.steady.now_ms() == 1_000_000 + 60_000
    after.tick += 100
    assert after.steady.now_ms() == 1_000_000 + 61_000


def test_time_without_power_is_left_out_where_it_is_not_known_and_never_runs_back() -> None:
    for utc_before, utc_after in ((DAY_MS, None), (None, DAY_MS), (DAY_MS, 0)):
        kept: dict[str, bytes] = {}
        Clock(kept, BOOT, tick=100_000, utc=utc_before).steady.keep()
        assert Clock(kept, OTHER, tick=500, utc=utc_after).steady.now_ms() >= 1_000_000


def test_utc_that_is_lost_goes_on_untrusted() -> None:
    kept: dict[str, bytes] = {}
    clock = Clock(kept, BOOT, tick=100, utc=None)
    assert clock.steady.utc_ms() == (0, False)
    clock.utc = DAY_MS
    assert clock.steady.utc_ms() == (DAY_MS, True)
    clock.utc, clock.tick = None, 200
    assert clock.steady.utc_ms() == (DAY_MS + 1000, False)
    clock.utc = DAY_MS + 1000
    clock.steady.keep()
    again = Clock(kept, BOOT, tick=300, utc=None)
    assert again.steady.utc_ms() == (DAY_MS + 2000, False)
