"""What listeners turn away is told once and then counted: nobody fills the audit log."""

from cloud.refusals import AGAIN_S, OTHERS, PAIRS_MAX, Refusals, Refused


class Clock:
    at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


def told(refusals: Refusals) -> list[Refused]:
    due = refusals.due()
    refusals.told(due)
    return due


def test_refusal_is_told_soon_and_then_once_an_hour_with_its_number() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    assert refusals.note("a", "no HTTP")
    assert told(refusals) == [Refused("a", "no HTTP", 1)]
    for _ in range(7):
        assert not refusals.note("a", "no HTTP")
    clock.at_s = AGAIN_S - 1
    assert told(refusals) == []
    clock.at_s = AGAIN_S
    assert told(refusals) == [Refused("a", "no HTTP", 7)]
    clock.at_s = 3 * AGAIN_S
    assert told(refusals) == []


def test_others_and_other_reasons_are_told_apart() -> None:
    refusals = Refusals(Clock())
    for who, reason in (("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")):
        refusals.note(who, reason)
    assert told(refusals) == [Refused("a", "x", 2), Refused("b", "x", 1), Refused("a", "y", 1)]


def test_crowd_of_strangers_makes_a_bounded_number_of_rows_an_hour() -> None:
    clock = Clock()
    refusals = Refusals(clock)
    rows = []
    for number in range(5000):
        refusals.note(f"address {number}", "too many connections")
        clock.at_s = number / 2
        rows += told(refusals)
    assert len(rows) == PAIRS_MAX + 1
    assert [one.times for one in rows if (one.who, one.reason) == OTHERS] == [1]
    clock.at_s += AGAIN_S
    assert told(refusals) == [Refused(*OTHERS, 5000 - PAIRS_MAX - 1)]
    assert refusals.note("address 1", "too many connections")


def test_what_could_not_be_written_is_told_later() -> None:
    refusals = Refusals(Clock())
    refusals.note("a", "x")
    due = refusals.due()
    refusals.note("a", "x")
    assert due == [Refused("a", "x", 1)]
    assert told(refusals) == [Refused("a", "x", 2)]
