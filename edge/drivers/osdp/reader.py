"""One reader as the loop sees it: turns what the thread tells into events, polls and silence.

No number of a card and no pressed key leaves it except to listeners, who live in this process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.credential import Credential, Presented, key_id
from edge.driver import ticks
from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.decode import OsdpError, card_from, keys_from, local_status
from edge.drivers.osdp.pins import Dropped, PinPad
from wire.layouts import make_layout
from wire.messages import Event, Layout, PointDeclaration, Poll, Scalar
from wire.settings.osdp import OsdpDevice, OsdpReader
from wire.status import PointKind, Status

LINK_POINTS, STATUS_POINTS = ("link", "sessions"), ("tamper", "power")
_STATES = {
    "link": {"0": "lost", "1": "secure"},
    "tamper": {"0": "closed", "1": "open"},
    "power": {"0": "good", "1": "failing"},
}


@dataclass(frozen=True, slots=True)
class Silence:
    """Points that give nothing."""

    points: Sequence[str]
    reason: str
    tick: int


Outgoing = Event | Poll | Silence | None
"""What is to be journalled; None when the thread has ended."""


class Reader:
    """One `[[device.reader]]`."""

    def __init__(self, settings: OsdpReader, subject: str, *, device: OsdpDevice) -> None:
        self._settings = settings
        self._subject = subject
        self.points = [_declare(f"{subject}/{point}", point, device) for point in LINK_POINTS + STATUS_POINTS]
        self._link = make_layout([f"{subject}/{point}" for point in LINK_POINTS], [0, 0])
        self._status = make_layout([f"{subject}/{point}" for point in STATUS_POINTS], [0, 0])
        self.begin(b"")

    @property
    def layouts(self) -> Sequence[Layout]:
        """What the driver knows of the reader, and what the reader tells."""
        return [self._link, self._status]

    def begin(self, key: bytes) -> None:
        """Forget what was; `key` is the key of credentials."""
        self._key = key
        self._key_id = key_id(key)
        self._pins = PinPad(self._settings.pin_timeout_s)
        self._secure = False
        self._sessions = 0
        self._local: tuple[bool, bool] | None = None

    @property
    def due_ns(self) -> int | None:
        """When `expire` has something to do."""
        return self._pins.due_ns

    def expire(self, now_ns: int) -> list[Event]:
        """Drop keys that wait for more for too long."""
        dropped = self._pins.expire(now_ns)
        return [] if dropped is None else [self._event("pin_dropped", now_ns, {"reason": dropped.value})]

    def link(self, now_ns: int) -> Poll:
        """Return a poll of what the driver knows."""
        return Poll(self._link.id, ticks(now_ns), [int(self._secure), self._sessions])

    def took(self, happening: told.Happening) -> Iterator[Outgoing | Presented]:
        """Yield what is to be journalled, and what is for rooms of this process alone."""
        if isinstance(happening, told.CardSeen):
            yield from self._card(happening)
        elif isinstance(happening, told.KeysPressed):
            yield from self._keys(happening)
        elif isinstance(happening, told.StatusSeen | told.StatusUnknown):
            yield from self._told(happening)
        elif isinstance(happening, told.Online | told.Lost | told.Offline):
            yield from self._session(happening)
        else:
            yield self._notice(happening)

    def _card(self, seen: told.CardSeen) -> Iterator[Event | Presented]:
        settings = self._settings
        try:
            card = card_from(seen.data, seen.bits, settings.formats, reversed_uid=settings.uid_reversed)
        except OsdpError as error:
            data: dict[str, Scalar] = {"bits": seen.bits, "reason": str(error)}
            yield self._event("card_unreadable", seen.at_ns, data)
            return
        yield Presented(self._subject, card, seen.at_ns)
        shown: dict[str, Scalar] = {"format": card.format, "bits": seen.bits, "masked": card.masked}
        yield self._event("card_read", seen.at_ns, shown | self._token(card))

    def _keys(self, pressed: told.KeysPressed) -> Iterator[Event | Presented]:
        try:
            keys = keys_from(pressed.data)
        except OsdpError as error:
            yield self._event("pin_dropped", pressed.at_ns, {"reason": str(error)})
            return
        for done in self._pins.press(keys, pressed.at_ns):
            if isinstance(done, Dropped):
                yield self._event("pin_dropped", pressed.at_ns, {"reason": done.value})
                continue
            pin = Credential("pin", "keypad", done)
            yield Presented(self._subject, pin, pressed.at_ns)
            yield self._event("pin_entered", pressed.at_ns, self._token(pin))

    def _token(self, credential: Credential) -> dict[str, Scalar]:
        return {"token": credential.token(self._key), "key_id": self._key_id}

    def _told(self, happening: told.StatusSeen | told.StatusUnknown) -> Iterator[Outgoing]:
        tick = ticks(happening.at_ns)
        if isinstance(happening, told.StatusUnknown):
            absent = [(0, int(Status.NOT_MEASURED)), (1, int(Status.NOT_MEASURED))]
            yield Poll(self._status.id, tick, [None, None], absent)
            return
        try:
            tampered, failing = local = local_status(happening.report)
        except OsdpError:
            absent = [(0, int(Status.INVALID)), (1, int(Status.INVALID))]
            yield Poll(self._status.id, tick, [None, None], absent)
            return
        before, self._local = self._local or (False, False), local
        yield Poll(self._status.id, tick, [int(tampered), int(failing)])
        if tampered != before[0]:
            yield self._event("reader_tampered" if tampered else "reader_untampered", happening.at_ns, {})
        if failing != before[1]:
            kind = "reader_power_failing" if failing else "reader_power_good"
            yield self._event(kind, happening.at_ns, {})

    def _session(self, happening: told.Online | told.Lost | told.Offline) -> Iterator[Outgoing]:
        self._secure = isinstance(happening, told.Online)
        if isinstance(happening, told.Online):
            self._sessions = happening.sessions
            data: dict[str, Scalar] = {
                "away_ms": happening.away_ns // 1_000_000,
                "sessions": happening.sessions,
                "identity": happening.identity,
            }
            yield self._event("reader_online", happening.at_ns, data)
        else:
            self._pins.forget()
            kind = "reader_session_lost" if isinstance(happening, told.Lost) else "reader_offline"
            yield self._event(kind, happening.at_ns, {"reason": happening.reason})
            names = [f"{self._subject}/{point}" for point in STATUS_POINTS]
            yield Silence(names, happening.reason, ticks(happening.at_ns))
        yield self.link(happening.at_ns)

    def _notice(self, happening: told.Happening) -> Event:
        data: dict[str, Scalar] = {}
        if isinstance(happening, told.KeyRefused):
            kind, data = "reader_key_refused", {"reason": happening.reason}
        elif isinstance(happening, told.ClearText):
            kind, data = "reader_clear_text", {"reply": happening.reply}
        elif isinstance(happening, told.InstallClosed):
            kind = "install_closed"
            data = {"paired": happening.paired, "reason": happening.reason}
        else:
            assert isinstance(happening, told.InstallOpened), happening
            kind = "install_opened"
            data = {"minutes": (happening.until_ns - happening.at_ns) // 60_000_000_000}
        return self._event(kind, happening.at_ns, data)

    def _event(self, kind: str, at_ns: int, data: dict[str, Scalar]) -> Event:
        return Event(kind, self._subject, ticks(at_ns), data)


def _declare(name: str, point: str, device: OsdpDevice) -> PointDeclaration:
    return PointDeclaration(
        name=name,
        quantity="count" if point == "sessions" else "state",
        kind=PointKind.COUNTER if point == "sessions" else PointKind.STATE,
        period_ms=device.interval_ms,
        device=device.name,
        states=_STATES.get(point, {}),
    )
