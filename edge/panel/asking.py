"""What people ask at the panel: a card, then a PIN, then one act; each asking is an event.

Who it is and what they may do is decided by `rules.panel` and `rules.authority`; the act by the interlock.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from edge.control.given import Tell
from edge.control.interlocks import Acted
from edge.credential import Credential, Presented
from edge.intake.limits import Bucket
from edge.keypad import PIN_DIGITS_MAX, PIN_DIGITS_MIN
from rules.access import EMPTY, Factor, Reason, Snapshot, State
from rules.access.document import IDENTIFIES
from rules.access.words import FactorKind
from rules.authority import rights_at
from rules.interlock.inputs import Acknowledge, Asked, Enable, Person, Reset, Right
from rules.panel import Asker, Shown, identify
from wire.messages import Scalar, as_text

ACTS = ("acknowledge", "reset", "enable")
PER_MINUTE = 20
"""So many PINs may be tried at one panel, whosever they are."""
LATE_MS = 2000
"""A card that may have been shown longer ago, while the gateway stood still, is no card."""
_KEPT = "panel/attempts"
_KINDS = frozenset(kind.value for kind in IDENTIFIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is asked of the rest of the gateway."""

    snapshot: Callable[[], Snapshot | None]
    key: Callable[[], tuple[bytes, str]]
    """The key of tokens and its name; empty until it was read."""
    act: Callable[[str, Asked], Awaitable[Acted]]
    tell: Tell
    remember: Callable[[str, bytes], None]
    recall: Callable[[str], bytes | None]
    settle: Callable[[], Awaitable[bool]]
    now_tick: Callable[[], int]
    utc_ms: Callable[[], int | None]
    steady_ms: Callable[[], int]
    """A clock that neither jumps nor goes back, over restarts too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One act that somebody asks for, with their PIN."""

    interlock: str
    act: str
    breach: int
    pin: str

    def __repr__(self) -> str:
        return f"Wish({self.act} {self.interlock} {self.breach})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it: a word of the panel, of access or of interlocks; empty: it was done."""

    refused: str = ""
    text: str = ""
    """What a disk or device said, in English."""


class Asking:
    """One panel's."""

    def __init__(self, sources: Sources, *, card_s: float, honour_old: bool) -> None:
        self._sources = sources
        self._card_ticks = round(card_s * 100)
        self._honour_old = honour_old
        self._card: tuple[Credential, int] | None = None
        self._tries = Bucket.full(PER_MINUTE, sources.now_tick() / 100)
        self._too_often = False
        self._state = _restored(sources.recall(_KEPT))

    def presented(self, presented: Presented) -> None:
        """Take a card at the panel's reader; the next one takes its place."""
        late = presented.doubt_ms is not None and presented.doubt_ms > LATE_MS
        if presented.credential.kind in _KINDS and not late:
            self._card = presented.credential, self._sources.now_tick()

    @property
    def card_left_s(self) -> float | None:
        """How long the card that was shown still counts; None: there is none."""
        if self._card is None:
            return None
        left = self._card_ticks - (self._sources.now_tick() - self._card[1])
        if left <= 0:
            self._card = None
            return None
        return left / 100

    def name_of(self, person: str) -> str:
        """Return what somebody is called; their number where the rights do not say."""
        snapshot = self._sources.snapshot()
        found = None if snapshot is None else snapshot.person(person)
        return person if found is None or not found.name else found.name

    async def ask(self, wish: Wish) -> Outcome:
        """Do what somebody asks, or say why not. A card counts for one PIN, right or wrong."""
        sources = self._sources
        if not self._tries.take(sources.now_tick() / 100):
            told, self._too_often = self._too_often, True
            return Outcome("too_often") if told else self._refused(wish, "too_often")
        self._too_often = False
        digits = wish.pin.isascii() and wish.pin.isdigit()
        if not (digits and PIN_DIGITS_MIN <= len(wish.pin) <= PIN_DIGITS_MAX):
            return Outcome("pin_shape")
        if self.card_left_s is None or self._card is None:
            return self._refused(wish, "card_awaited")
        card, _ = self._card
        self._card = None
        asker = self._who(card, wish.pin)
        token = card.token(sources.key()[0])
        if asker.reason is not None or asker.person is None:
            reason = asker.reason or Reason.CREDENTIAL_UNKNOWN
            outcome = self._refused(wish, reason.value, asker=asker, token=token)
            await sources.settle()
            return outcome
        acted = await sources.act(wish.interlock, self._asked(wish, asker))
        if acted.done:
            self._tell(wish, "done", asker=asker, token=token)
            outcome = Outcome()
        elif acted.refused is not None:
            outcome = self._refused(wish, acted.refused.value, asker=asker, token=token)
        else:
            self._tell(wish, "failed", asker=asker, token=token, text=acted.failed)
            outcome = Outcome("failed", acted.failed)
        await sources.settle()
        return outcome

    def _who(self, card: Credential, pin: str) -> Asker:
        sources = self._sources
        key, name = sources.key()
        shown = Shown(
            card=Factor(FactorKind(card.kind), card.token(key), name or "0" * 16),
            pin=Factor(FactorKind.PIN, Credential("pin", "keypad", pin).token(key), name or "0" * 16),
            utc_ms=sources.utc_ms(),
            steady_ms=sources.steady_ms(),
            honour_old=self._honour_old,
        )
        asker = identify(sources.snapshot(), self._state, shown)
        if asker.state != self._state:
            self._state = asker.state
            sources.remember(_KEPT, msgspec.json.encode(asker.state))
        return asker

    def _asked(self, wish: Wish, asker: Asker) -> Asked:
        snapshot, rights = self._sources.snapshot(), frozenset[Right]()
        if snapshot is not None and asker.person is not None:
            rights = rights_at(snapshot, asker.person, wish.interlock, at_ms=asker.at_ms)
        by = Person(asker.person or "", rights)
        if wish.act == "acknowledge":
            return Acknowledge(by=by, breach=wish.breach, comment="at the panel")
        if wish.act == "reset":
            return Reset(by=by, breach=wish.breach, reason="at the panel")
        return Enable(by=by, breach=wish.breach)

    def _refused(self, wish: Wish, reason: str, *, asker: Asker | None = None, token: str = "") -> Outcome:
        self._tell(wish, "refused", asker=asker, token=token, reason=reason)
        return Outcome(reason)

    def _tell(
        self,
        wish: Wish,
        state: str,
        *,
        asker: Asker | None,
        token: str,
        reason: str = "",
        text: str = "",
    ) -> None:
        data: dict[str, Scalar] = {"act": wish.act, "breach": wish.breach, "state": state}
        more = {"reason": reason, "text": as_text(text), "token": token, "key_id": self._sources.key()[1]}
        data |= {name: value for name, value in more.items() if value}
        if asker is not None:
            data |= {"person": asker.person} if asker.person else {}
            data |= {"duress": True} if asker.duress else {}
        self._sources.tell("panel_asked", data, wish.interlock)


def _restored(kept: bytes | None) -> State:
    """Return the wrong attempts that were kept; what cannot be read begins anew."""
    try:
        return EMPTY if kept is None else msgspec.json.decode(kept, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return EMPTY
