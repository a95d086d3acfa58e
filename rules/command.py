"""Whether a gateway may execute a command: at most once, never late, and only what nothing forbids.

Pure. `judge` gives one answer for a command that came, `is_late` asks again right before it is begun. What is
remembered is a `Book`; a command with a newer fence is written into it whatever the answer is, so that its
copies get the same one. The conditions and their order are the table of `docs/reference/commands.md`.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rules.interlock.inputs import Right
from wire.control import Command, Receipt, ReceiptState
from wire.messages import TICK_MS, Scalar
from wire.shadow import Revision

LIFE_MAX_MS = 600_000
"""No command may be executed longer than this after it was asked for."""
AHEAD_MAX_MS = 5_000
"""By so much the hub's clock may be ahead of a gateway's; a command from further on shows a wrong clock."""
APART_MAX_MS = 1_000
"""So far apart may the two clocks be that both call right, where a second execution depends on it."""
STEP_MAX_MS = 1_000
"""A clock of UTC that went back by more is not believed until it has caught up."""
KEPT = 128
"""So many answers are remembered."""
HUB = "hub"
"""Begins `by` where no person asked."""


class Refusal(StrEnum):
    """Why a command was not, or not to its end, executed."""

    OTHER_GATEWAY = "other_gateway"
    OUT_OF_ORDER = "out_of_order"
    TIME_UNTRUSTED = "time_untrusted"
    BOOK_LOST = "book_lost"
    LATE = "late"
    OTHER_BOOT = "other_boot"
    LIFE_TOO_LONG = "life_too_long"
    UNKNOWN_COMMAND = "unknown_command"
    BAD_ARGUMENTS = "bad_arguments"
    NO_RIGHT = "no_right"
    INTERLOCK = "interlock"
    BUSY = "busy"
    DISK = "disk"
    NOT_POSSIBLE = "not_possible"
    """What is to do it refused before anything happened."""
    NOT_DONE = "not_done"
    """It was begun, and whoever did it says that it was not done."""
    INTERRUPTED = "interrupted"
    """The gateway ended while it was being done: it is not known to be done."""


SENTENCES: Mapping[Refusal, str] = {
    Refusal.OTHER_GATEWAY: "it is for another gateway",
    Refusal.OUT_OF_ORDER: "a later command came before it",
    Refusal.TIME_UNTRUSTED: "the gateway does not know what time it is, so it may be late",
    Refusal.BOOK_LOST: "it was asked for before the gateway lost what it had executed: ask again",
    Refusal.LATE: "its time is over",
    Refusal.OTHER_BOOT: "the gateway was started again since it was asked for",
    Refusal.LIFE_TOO_LONG: f"its deadline is more than {LIFE_MAX_MS // 1000} s after it was asked for",
    Refusal.UNKNOWN_COMMAND: "this gateway does not know the command",
    Refusal.BAD_ARGUMENTS: "its arguments are not as expected",
    Refusal.NO_RIGHT: "this person may not do that here",
    Refusal.INTERLOCK: "an interlock forbids it",
    Refusal.BUSY: "too many commands wait",
    Refusal.DISK: "what permits something is written down first, and the disk takes nothing now",
    Refusal.NOT_POSSIBLE: "it cannot be done here",
    Refusal.NOT_DONE: "it was begun, and was not done",
    Refusal.INTERRUPTED: "the gateway ended while it was being done: it is not known to be done",
}


# --- which commands there are -------------------------------------------------------------------------

OPERATE, OPEN, LOCK_DOWN, RELEASE, PLACE = "operate", "open", "lock_down", "release", "place"


class Kind(Struct, frozen=True, kw_only=True):
    """One command that a gateway knows."""

    right: str = ""
    """What `Command.rights` has to hold; empty: nothing."""
    needs: Mapping[str, type] = {}
    may: Mapping[str, type] = {}
    more: type | None = None
    """Of which kind any other argument is; None: there is none."""
    safe: bool = False
    """It makes safe whatever its arguments are: it does not wait for the disk."""


KINDS: Mapping[str, Kind] = {
    "interlock.trip": Kind(needs={"interlock": str}, may={"reason": str}, safe=True),
    "interlock.acknowledge": Kind(
        right=Right.ACKNOWLEDGE.value, needs={"interlock": str, "breach": int}, may={"comment": str}
    ),
    "interlock.reset": Kind(
        right=Right.RESET.value, needs={"interlock": str, "breach": int}, may={"reason": str}
    ),
    "interlock.enable": Kind(right=Right.ENABLE.value, needs={"interlock": str, "breach": int}),
    "interlock.bypass": Kind(
        right=Right.BYPASS.value,
        needs={"interlock": str, "cause": str, "reason": str, "seconds": float},
    ),
    "interlock.end_bypass": Kind(right=Right.BYPASS.value, needs={"interlock": str, "cause": str}),
    "interlock.pass_check": Kind(
        right=Right.CHECK.value, needs={"interlock": str, "cause": str, "record": str}
    ),
    "output.set": Kind(right=OPERATE, needs={"output": str, "value": str}),
    "instrument.run": Kind(right=OPERATE, needs={"device": str, "procedure": str}, more=str),
    "portal.open": Kind(right=OPEN, needs={"portal": str, "side": str}, may={"reason": str}),
    "access.lock_down": Kind(right=LOCK_DOWN, needs={"reason": str}, may={"zone": str}, safe=True),
    "access.release": Kind(right=RELEASE, needs={"reason": str}, may={"zone": str}),
    "access.place": Kind(right=PLACE, needs={"person": str, "zone": str}),
    "regulation.set": Kind(right=OPERATE, needs={"name": str, "value": str}, may={"seconds": float}),
}
_WORDS: Mapping[type, str] = {str: "text", int: "a whole number", float: "a number"}


def argument_fault(command: Command) -> str:
    """Return what is wrong with the arguments of a known command: field, value, expectation; else empty."""
    kind = KINDS[command.name]
    expected = {**kind.needs, **kind.may}
    for name, wanted in expected.items():
        if name not in command.arguments:
            if name in kind.needs:
                return f"{name}: missing: expected {_WORDS[wanted]}"
        elif not _is(command.arguments[name], wanted):
            return f"{name}: {str(command.arguments[name])[:80]!r}: expected {_WORDS[wanted]}"
    for name, value in command.arguments.items():
        if name in expected:
            continue
        if kind.more is None:
            return f"{name}: expected no such argument (known: {', '.join(expected)})"
        if not _is(value, kind.more):
            return f"{name}: {str(value)[:80]!r}: expected {_WORDS[kind.more]}"
    return ""


def _is(value: Scalar, wanted: type) -> bool:
    if isinstance(value, bool):
        return False
    if wanted is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, wanted)


# --- what is remembered -------------------------------------------------------------------------------


class Instant(Struct, frozen=True):
    """A moment at the gateway."""

    boot: bytes
    tick: int
    utc_ms: int | None = None
    """None while time is not trusted."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A command that was judged, and the newest that is known of it."""

    id: bytes
    fence: Revision
    name: str
    by: str
    second: str
    state: ReceiptState
    reason: str = ""
    text: str = ""
    data: dict[str, Scalar] = {}

    @property
    def final(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state is not ReceiptState.ACCEPTED


class Book(Struct, frozen=True):
    """Everything that was judged, as far as it is remembered."""

    fence: Revision = Revision()
    """Of the newest command that was judged."""
    entries: tuple[Entry, ...] = ()
    """The last `KEPT` ones, oldest first."""
    since: Instant | None = None
    """Where what was kept got lost: what was executed before is not known. UTC as it was known first then."""
    ahead_ms: int | None = None
    """The greatest UTC less the boot's clock that was seen in this boot."""
    seen_ms: int = 0
    """The latest UTC that was ever believed: it cannot be earlier now."""

    def find(self, command: bytes) -> Entry | None:
        """Return what is known of a command."""
        return next((entry for entry in reversed(self.entries) if entry.id == command), None)

    def put(self, entry: Entry) -> "Book":
        """Return the book with an entry, in the place of an older one of the same command."""
        if self.find(entry.id) is not None:
            entries = tuple(entry if one.id == entry.id else one for one in self.entries)
            return replace(self, entries=entries)
        fence = max(self.fence, entry.fence, key=lambda one: one.order)
        return replace(self, fence=fence, entries=(*self.entries, entry)[-KEPT:])

    def saw(self, now: Instant) -> "Book":
        """Return the book after a look at the clock; look often, so that a step is seen."""
        if now.utc_ms is None:
            return self
        book, ahead = self, now.utc_ms - now.tick * TICK_MS
        if self.since is not None and self.since.utc_ms is None:
            book = replace(book, since=replace(self.since, utc_ms=now.utc_ms))
        if self.ahead_ms is None or ahead > self.ahead_ms:
            book = replace(book, ahead_ms=ahead)
        return replace(book, seen_ms=now.utc_ms) if now.utc_ms > self.seen_ms else book


def opened(book: Book, entries: Iterable[Entry]) -> tuple[Book, tuple[Entry, ...]]:
    """Return the book at the start of a process, and what had been begun and is not known to be done."""
    kept = sorted(entries, key=lambda one: one.fence.order)
    for one in kept:
        book = book.put(one)
    broken = tuple(
        replace(
            one,
            state=ReceiptState.FAILED,
            reason=Refusal.INTERRUPTED.value,
            text=SENTENCES[Refusal.INTERRUPTED],
        )
        for one in kept
        if not one.final
    )
    for one in broken:
        book = book.put(one)
    return book, broken


# --- the decision -------------------------------------------------------------------------------------


class Place(Struct, frozen=True, kw_only=True):
    """What the gateway says of a command with good arguments; each returns a sentence, or nothing."""

    gateway: str
    lacks: Callable[[Command], str] = lambda _: ""
    """Which right is missing."""
    forbids: Callable[[Command], str] = lambda _: ""
    """Which interlock forbids it."""


class Judged(Struct, frozen=True):
    """The answer: to be executed, told again, or not executed for a reason."""

    state: ReceiptState
    reason: str = ""
    text: str = ""
    again: Entry | None = None
    """It came before: this became of it."""
    remembered: bool = True
    """Whether the book has to hold it; what is not for it leaves no trace."""

    @property
    def accepted(self) -> bool:
        """Whether it is to be executed."""
        return self.state is ReceiptState.ACCEPTED and self.again is None


def judge(command: Command, book: Book, now: Instant, *, place: Place) -> Judged:
    """Return the answer to a command that the hub signed and that came at this moment."""
    if command.gateway != place.gateway:
        return _no(Refusal.OTHER_GATEWAY, remembered=False)
    known = book.find(command.id)
    if known is not None:
        return Judged(known.state, known.reason, known.text, again=known, remembered=False)
    if command.fence.order <= book.fence.order:
        return _no(Refusal.OUT_OF_ORDER, remembered=False)
    untimely = is_late(command, book, now)
    if untimely is not None:
        return untimely
    if command.name not in KINDS:
        return _no(Refusal.UNKNOWN_COMMAND, f"{command.name}: expected one of {', '.join(KINDS)}")
    if fault := argument_fault(command):
        return _no(Refusal.BAD_ARGUMENTS, fault)
    right = KINDS[command.name].right
    if right and right not in command.rights:
        return _no(Refusal.NO_RIGHT, f"{SENTENCES[Refusal.NO_RIGHT]}: {right}")
    if lacking := place.lacks(command):
        return _no(Refusal.NO_RIGHT, lacking)
    if forbidden := place.forbids(command):
        return _no(Refusal.INTERLOCK, forbidden)
    return Judged(ReceiptState.ACCEPTED)


def is_late(command: Command, book: Book, now: Instant) -> Judged | None:
    """Return why a command may not be begun at this moment; None when it may.

    Where the hub named a boot, that boot's clock decides, and nothing can step it; where it did not, UTC has
    to be trusted and must not have gone back.
    """
    book = book.saw(now)
    if command.not_after_ms - command.issued_at_ms > LIFE_MAX_MS:
        return _no(Refusal.LIFE_TOO_LONG)
    by_boot = command.boot is not None and command.not_after_tick is not None
    if by_boot and command.boot != now.boot:
        return _no(Refusal.OTHER_BOOT, state=ReceiptState.EXPIRED)
    if by_boot and command.not_after_tick is not None and now.tick > command.not_after_tick:
        return _no(Refusal.LATE, state=ReceiptState.EXPIRED)
    believed = now.utc_ms is not None and not _went_back(book, now)
    if now.utc_ms is not None and believed and now.utc_ms > command.not_after_ms:
        return _no(Refusal.LATE, state=ReceiptState.EXPIRED)
    early = now.utc_ms is None or now.utc_ms < command.issued_at_ms - AHEAD_MAX_MS
    if not by_boot and (early or not believed):
        return _no(Refusal.TIME_UNTRUSTED)
    if book.since is not None and not _asked_since(command, book.since, now, by_boot=by_boot):
        return _no(Refusal.BOOK_LOST)
    return None


def _asked_since(command: Command, since: Instant, now: Instant, *, by_boot: bool) -> bool:
    """Whether it is certain that a command was asked for after what was kept got lost."""
    if by_boot and command.not_after_tick is not None:
        life = (command.not_after_ms - command.issued_at_ms) // TICK_MS
        asked = command.not_after_tick - life
        return command.boot != since.boot or asked > since.tick + APART_MAX_MS // TICK_MS
    if since.utc_ms is None or now.utc_ms is None:
        return False
    lost_ms = since.utc_ms
    if since.boot == now.boot:  # the clock may have been set since
        lost_ms = max(lost_ms, now.utc_ms - (now.tick - since.tick) * TICK_MS)
    return command.issued_at_ms > lost_ms + APART_MAX_MS


def _went_back(book: Book, now: Instant) -> bool:
    """Whether UTC is behind what it was earlier: in this boot by its clock, else at all."""
    if now.utc_ms is None or book.ahead_ms is None:
        return False
    earliest_ms = max(book.seen_ms, book.ahead_ms + now.tick * TICK_MS)
    return now.utc_ms < earliest_ms - STEP_MAX_MS


def _no(
    reason: Refusal, text: str = "", *, state: ReceiptState = ReceiptState.REFUSED, remembered: bool = True
) -> Judged:
    return Judged(state, reason.value, (text or SENTENCES[reason])[:200], remembered=remembered)


def entered(command: Command, judged: Judged) -> Entry:
    """Return what the book holds of a command that was just judged."""
    return Entry(
        command.id,
        command.fence,
        command.name,
        command.by,
        command.second,
        judged.state,
        judged.reason,
        judged.text,
    )


def receipt_of(entry: Entry, *, gateway: str, now: Instant) -> Receipt:
    """Return what the hub is told of an entry at this moment."""
    return Receipt(
        gateway=gateway,
        command=entry.id,
        state=entry.state,
        reason=entry.reason,
        text=entry.text,
        boot=now.boot,
        tick=now.tick,
        at_ms=now.utc_ms,
        data=entry.data,
    )
