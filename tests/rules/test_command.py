"""Commands: whatever happens on the way, each is executed at most once, and never late."""

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rules.command import (
    AHEAD_MAX_MS,
    APART_MAX_MS,
    KEPT,
    KINDS,
    LIFE_MAX_MS,
    SENTENCES,
    STEP_MAX_MS,
    Book,
    Entry,
    Instant,
    Judged,
    Place,
    Refusal,
    entered,
    is_late,
    judge,
    opened,
    receipt_of,
)
from wire.control import Command, ReceiptState
from wire.shadow import Revision

BOOT, OTHER = b"b" * 16, b"o" * 16
NOW_MS = 1_800_000_000_000
HERE = Place(gateway="lab-1")
EMPTY = Book()
TRIP = Command(
    gateway="lab-1",
    id=bytes(16),
    fence=Revision(1, 1),
    name="interlock.trip",
    arguments={"interlock": "room-2"},
    by="17",
    issued_at_ms=NOW_MS,
    not_after_ms=NOW_MS + 10_000,
)
RESET = replace(
    TRIP, name="interlock.reset", arguments={"interlock": "room-2", "breach": 3}, rights=("reset",)
)


def at(ms: int = 0, *, boot: bytes = BOOT, known: bool = True) -> Instant:
    """So many ms after the commands of this file were asked for; the boot is 100 s older."""
    return Instant(boot, 10_000 + ms // 10, NOW_MS + ms if known else None)


def reason(command: Command, book: Book = EMPTY, now: Instant | None = None, place: Place = HERE) -> str:
    return judge(command, book, now or at(), place=place).reason


@pytest.mark.parametrize(
    ("word", "state", "found"),
    [
        ("other_gateway", "refused", judge(replace(TRIP, gateway="lab-2"), Book(), at(), place=HERE)),
        ("out_of_order", "refused", judge(TRIP, Book(fence=Revision(1, 1)), at(), place=HERE)),
        ("out_of_order", "refused", judge(TRIP, Book(fence=Revision(2, 0)), at(), place=HERE)),
        (
            "life_too_long",
            "refused",
            judge(replace(TRIP, not_after_ms=NOW_MS + LIFE_MAX_MS + 1), Book(), at(), place=HERE),
        ),
        (
            "other_boot",
            "expired",
            judge(replace(TRIP, boot=OTHER, not_after_tick=99_999), EMPTY, at(), place=HERE),
        ),
        (
            "late",
            "expired",
            judge(replace(TRIP, boot=BOOT, not_after_tick=10_000), EMPTY, at(10), place=HERE),
        ),
        ("late", "expired", judge(TRIP, Book(), at(10_001), place=HERE)),
        ("late", "expired", judge(TRIP, Book(), at(600_000), place=HERE)),
        ("time_untrusted", "refused", judge(TRIP, Book(), at(known=False), place=HERE)),
        ("time_untrusted", "refused", judge(TRIP, Book(), at(-AHEAD_MAX_MS - 1), place=HERE)),
        (
            "time_untrusted",
            "refused",
            judge(TRIP, Book().saw(Instant(BOOT, 9_000, NOW_MS + 60_000)), at(), place=HERE),
        ),
        ("book_lost", "refused", judge(TRIP, Book(since=at(known=False)), at(), place=HERE)),
        ("book_lost", "refused", judge(TRIP, Book(since=at(-APART_MAX_MS)), at(), place=HERE)),
        (
            "book_lost",
            "refused",
            judge(replace(TRIP, boot=BOOT, not_after_tick=11_000), Book(since=at(-1000)), at(), place=HERE),
        ),
        ("unknown_command", "refused", judge(replace(TRIP, name="world.end"), Book(), at(), place=HERE)),
        ("bad_arguments", "refused", judge(replace(TRIP, arguments={}), Book(), at(), place=HERE)),
        ("no_right", "refused", judge(replace(RESET, rights=("enable",)), Book(), at(), place=HERE)),
        ("no_right", "refused", judge(RESET, Book(), at(), place=replace(HERE, lacks=lambda _: "gone"))),
        ("interlock", "refused", judge(RESET, Book(), at(), place=replace(HERE, forbids=lambda _: "held"))),
    ],
)
def test_each_condition_refuses_with_its_word_and_a_sentence(word: str, state: str, found: Judged) -> None:
    assert (found.reason, found.state.value) == (word, state)
    assert found.text
    assert not found.accepted


def test_command_is_accepted_when_nothing_is_against_it() -> None:
    assert judge(RESET, Book(), at(), place=HERE) == Judged(ReceiptState.ACCEPTED)
    assert judge(TRIP, Book(), at(10_000), place=HERE).accepted
    by_boot = replace(TRIP, boot=BOOT, not_after_tick=10_000)
    assert judge(by_boot, Book(), at(known=False), place=HERE).accepted  # no clock is needed then
    assert judge(TRIP, Book(since=at(-APART_MAX_MS - 10)), at(), place=HERE).accepted


def test_every_word_has_a_sentence_and_stands_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text("utf-8")
    assert set(SENTENCES) == set(Refusal)
    assert [word for word in Refusal if f"`{word.value}`" not in page] == []
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    shown = {
        cells[1].strip(" `"): (cells[3].strip(" `"), cells[4].strip()) for cells in rows if len(cells) == 6
    }
    known = {name: (kind.right or "none", "yes" if kind.safe else "no") for name, kind in KINDS.items()}
    assert {name: shown.get(name) for name in known} == known


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "interlock: missing: expected text"),
        ({"interlock": 3}, "interlock: '3': expected text"),
        ({"interlock": "a", "breach": "3"}, "breach: '3': expected a whole number"),
        ({"interlock": "a", "breach": True}, "breach: 'True': expected a whole number"),
        (
            {"interlock": "a", "breach": 1, "force": "yes"},
            "force: expected no such argument (known: interlock, breach, reason)",
        ),
        ({"interlock": "a", "breach": 1, "reason": None}, "reason: 'None': expected text"),
    ],
)
def test_bad_argument_is_named_with_value_and_expectation(arguments: dict[str, object], fault: str) -> None:
    found = judge(replace(RESET, arguments=arguments), Book(), at(), place=HERE)
    assert (found.reason, found.text) == ("bad_arguments", fault)


def test_procedure_may_have_arguments_of_its_own_and_only_texts() -> None:
    run = replace(TRIP, name="instrument.run", rights=("operate",))
    good = {"device": "meter", "procedure": "range", "range": "10"}
    assert reason(replace(run, arguments=good)) == ""
    assert reason(replace(run, arguments={**good, "range": 10})) == "bad_arguments"


def test_copy_gets_what_became_of_the_first() -> None:
    book = Book().put(replace(entered(TRIP, Judged(ReceiptState.EXECUTED)), data={"value": "1"}))
    found = judge(TRIP, book, at(999_999), place=HERE)
    assert found.again is not None
    receipt = receipt_of(found.again, gateway="lab-1", now=at(5))
    assert (receipt.state, receipt.data, receipt.at_ms) == (ReceiptState.EXECUTED, {"value": "1"}, NOW_MS + 5)


def test_what_was_begun_before_a_restart_is_failed_and_stays_so() -> None:
    book, broken = opened(Book(), [entered(TRIP, Judged(ReceiptState.ACCEPTED))])
    assert [(one.state, one.reason) for one in broken] == [(ReceiptState.FAILED, "interrupted")]
    again = judge(TRIP, book, at(), place=HERE).again
    assert again is not None
    assert again.state is ReceiptState.FAILED


# --- whatever happens on the way ------------------------------------------------------------------------


@dataclass
class World:
    """A hub, a line that keeps and repeats everything, and a gateway that may die at any moment."""

    true_ms: int = NOW_MS
    boot: int = 1
    booted_ms: int = NOW_MS - 100_000
    wrong_ms: int = 0
    """By so much the gateway's clock was stepped."""
    trusted: bool = True
    book: Book = EMPTY
    disk: tuple[Book, tuple[Entry, ...]] = (EMPTY, ())
    sent: list[Command] = field(default_factory=list)
    done: list[tuple[bytes, int]] = field(default_factory=list)
    said: dict[bytes, list[ReceiptState]] = field(default_factory=dict)

    def now(self) -> Instant:
        tick = (self.true_ms - self.booted_ms) // 10
        return Instant(bytes([self.boot]) * 16, tick, self.true_ms + self.wrong_ms if self.trusted else None)

    def look(self) -> None:
        """Look at the clock as a gateway does: what it believes first in a boot is right, and is kept."""
        first = self.book.ahead_ms is None
        if first and self.wrong_ms:
            self.trusted = False
        self.book = self.book.saw(self.now())
        if first:
            self.keep()

    def send(self, *, life_ms: int, by_boot: bool, boot: int) -> None:
        number = len(self.sent) + 1
        tick = (self.true_ms + life_ms - self.booted_ms) // 10
        self.sent.append(
            replace(
                TRIP,
                id=number.to_bytes(16, "big"),
                fence=Revision(1, number),
                issued_at_ms=self.true_ms,
                not_after_ms=self.true_ms + life_ms,
                boot=bytes([boot]) * 16 if by_boot else None,
                not_after_tick=tick if by_boot else None,
            )
        )

    def deliver(self, place: int, *, waits_ms: int, dies: int) -> None:
        """Give the gateway a command; it dies before (1), while (2) or after (3) it is done, or not (0)."""
        if not self.sent:
            return
        command = self.sent[place % len(self.sent)]
        self.look()
        found = judge(command, self.book, self.now(), place=HERE)
        if found.again is not None:
            self.say(found.again)
            return
        entry = entered(command, found)
        if found.remembered:
            self.book = self.book.put(entry)
        if dies == 1:
            self.start()
            return
        self.keep()
        self.say(entry)
        if not found.accepted:
            return
        self.true_ms += waits_ms
        if is_late(command, self.book, self.now()) is not None:
            entry = replace(entry, state=ReceiptState.EXPIRED)
        else:
            self.done.append((command.id, self.true_ms))
            if dies == 2:
                self.start()
                return
            entry = replace(entry, state=ReceiptState.EXECUTED)
        self.book = self.book.put(entry)
        if dies == 3:
            self.start()
            return
        self.keep()
        self.say(entry)

    def say(self, entry: Entry) -> None:
        self.said.setdefault(entry.id, []).append(entry.state)

    def keep(self) -> None:
        self.disk = (replace(self.book, entries=()), self.book.entries)

    def start(self, *, lost: bool = False) -> None:
        """Begin a process of this boot with what is on the disk."""
        book, entries = (Book(since=self.now()), ()) if lost else self.disk
        self.book, _ = opened(book, entries)
        self.look()
        self.keep()

    def reboot(self) -> None:
        """Another boot; its clock is right, or not known."""
        self.boot, self.booted_ms, self.wrong_ms = self.boot + 1, self.true_ms, 0
        head, entries = self.disk
        self.disk = (replace(head, ahead_ms=None), entries)
        self.start()


STEPS = st.one_of(
    st.tuples(
        st.just("send"), st.sampled_from([1_000, 10_000, 599_000]), st.booleans(), st.sampled_from([0, 0, 1])
    ),
    st.tuples(st.just("deliver"), st.integers(0, 30), st.sampled_from([0, 0, 50, 20_000]), st.integers(0, 3)),
    st.tuples(st.just("pass"), st.sampled_from([10, 900, 5_000, 600_000])),
    st.tuples(st.just("step"), st.sampled_from([-86_400_000, -600_000, -9_000, 4_000, 86_400_000])),
    st.tuples(st.just("trust"), st.booleans()),
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(st.just("reboot")),
)


@settings(max_examples=250)
@given(st.lists(STEPS, max_size=40))
def test_nothing_is_executed_late_or_twice_or_called_done_that_was_not(
    steps: list[tuple[object, ...]],
) -> None:
    world = World()
    world.start()
    for step in steps:
        match step:
            case ("send", int(life_ms), bool(by_boot), int(older)):
                world.send(life_ms=life_ms, by_boot=by_boot, boot=max(1, world.boot - older))
            case ("deliver", int(place), int(waits_ms), int(dies)):
                world.deliver(place, waits_ms=waits_ms, dies=dies)
            case ("pass", int(ms)):
                world.true_ms += ms
            case ("step", int(ms)):
                world.wrong_ms += ms
            case ("trust", bool(trusted)):
                world.trusted = trusted
            case ("restart", bool(lost)):
                # A disk that is lost while a wrong clock is believed is more than this guards against.
                world.start(lost=lost and not (world.trusted and world.wrong_ms))
            case _:
                world.reboot()
        world.look()
    due = {command.id: command.not_after_ms for command in world.sent}
    assert len({command for command, _ in world.done}) == len(world.done)
    assert all(ms <= due[command] + STEP_MAX_MS + 10 for command, ms in world.done)
    finished = {command for command, said in world.said.items() if ReceiptState.EXECUTED in said}
    assert finished <= {command for command, _ in world.done}


def test_every_order_of_two_copies_of_three_commands_executes_each_at_most_once() -> None:
    for order in product(range(3), repeat=5):
        world = World()
        for _ in range(3):
            world.send(life_ms=10_000, by_boot=True, boot=1)
        for place in order:
            world.deliver(place, waits_ms=0, dies=0)
        assert len(world.done) == len({command for command, _ in world.done}) >= 1


def test_book_forgets_the_oldest_answers_and_its_fence_forgets_nothing() -> None:
    world = World()
    for _ in range(KEPT + 5):
        world.send(life_ms=599_000, by_boot=True, boot=1)
        world.deliver(len(world.sent) - 1, waits_ms=0, dies=0)
    assert len(world.book.entries) == KEPT
    assert judge(world.sent[0], world.book, world.now(), place=HERE).reason == "out_of_order"
    assert judge(world.sent[-1], world.book, world.now(), place=HERE).again is not None
