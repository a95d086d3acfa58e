"""One reader as the loop sees it: turns what the thread tells into events, polls and silence.

No number of a card and no pressed key leaves it except to listeners, who live in this process.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge.driver import ticks
from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.decode import OsdpError, card_from, keys_from, local_status
from edge.presenting import Door, Presenter
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
        self._door: Door | None = None
        self._secure = False
        self._sessions = 0
        self._local: tuple[bool, bool] | None = None
        self._tells_status = True

    @property
    def layouts(self) -> Sequence[Layout]:
        """What the driver knows of the reader, and what the reader tells."""
        return [self._link, self._status]

    def begin(self, presenter: Presenter) -> None:
        """Forget what was, and present with this one."""
        self._door = Door(self._subject, presenter, pin_timeout_s=self._settings.pin_timeout_s)
        self._secure = False
        self._sessions = 0
        self._local = None
        self._tells_status = True

    @property
    def due_ns(self) -> int | None:
        """When `expire` has something to do."""
        return self._at_door.due_ns

    def expire(self, now_ns: int) -> list[Event]:
        """Drop keys that wait for more for too long."""
        return self._at_door.expire(now_ns)

    def link(self, now_ns: int) -> Poll:
        """Return a poll of what the driver knows."""
        return Poll(self._link.id, ticks(now_ns), [int(self._secure), self._sessions])

    def unknown(self, now_ns: int) -> Poll | None:
        """Return a poll that says that the reader does not tell its status; None when it does, or is away."""
        if self._tells_status or not self._secure:
            return None
        absent = [(0, int(Status.NOT_MEASURED)), (1, int(Status.NOT_MEASURED))]
        return Poll(self._status.id, ticks(now_ns), [None, None], absent)

    @property
    def _at_door(self) -> Door:
        assert self._door is not None
        return self._door

    def took(self, happening: told.Happening) -> Iterator[Outgoing]:
        """Yield what is to be journalled; cards and PINs are presented besides."""
        if isinstance(happening, told.CardSeen):
            yield self._card(happening)
        elif isinstance(happening, told.KeysPressed):
            yield from self._keys(happening)
        elif isinstance(happening, told.StatusSeen | told.StatusUnknown):
            yield from self._told(happening)
        elif isinstance(happening, told.Online | told.Lost | told.Offline):
            yield from self._session(happening)
        else:
            yield self._notice(happening)

    def _card(self, seen: told.CardSeen) -> Event:
        settings = self._settings
        try:
            card = card_from(seen.data, seen.bits, settings.formats, reversed_uid=settings.uid_reversed)
        except OsdpError as error:
            return self._at_door.unreadable(seen.bits, str(error), seen.at_ns)
        return self._at_door.card(card, seen.bits, seen.at_ns)

    def _keys(self, pressed: told.KeysPressed) -> list[Event]:
        try:
            return self._at_door.keys(keys_from(pressed.data), pressed.at_ns)
        except OsdpError as error:
            return [self._at_door.dropped(str(error), pressed.at_ns)]

    def _told(self, happening: told.StatusSeen | told.StatusUnknown) -> Iterator[Outgoing]:
        tick = ticks(happening.at_ns)
        if isinstance(happening, told.StatusUnknown):
            self._tells_status = False
            yield from filter(None, [self.unknown(happening.at_ns)])
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
            kind = "reader_tampered" if tampered else "reader_untampered"
            yield self._at_door.event(kind, happening.at_ns, {})
        if failing != before[1]:
            kind = "reader_power_failing" if failing else "reader_power_good"
            yield self._at_door.event(kind, happening.at_ns, {})

    def _session(self, happening: told.Online | told.Lost | told.Offline) -> Iterator[Outgoing]:
        self._secure = isinstance(happening, told.Online)
        if isinstance(happening, told.Online):
            self._sessions = happening.sessions
            data: dict[str, Scalar] = {
                "away_ms": happening.away_ns // 1_000_000,
                "sessions": happening.sessions,
                "identity": happening.identity,
            }
            yield self._at_door.event("reader_online", happening.at_ns, data)
        else:
            self._at_door.forget()
            kind = "reader_session_lost" if isinstance(happening, told.Lost) else "reader_offline"
            yield self._at_door.event(kind, happening.at_ns, {"reason": happening.reason})
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
        return self._at_door.event(kind, happening.at_ns, data)


def _declare(name: str, point: str, device: OsdpDevice) -> PointDeclaration:
    return PointDeclaration(
        name=name,
        quantity="count" if point == "sessions" else "state",
        kind=PointKind.COUNTER if point == "sessions" else PointKind.STATE,
        period_ms=device.interval_ms,
        device=device.name,
        states=_STATES.get(point, {}),
    )
