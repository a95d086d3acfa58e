"""One reader as the bus's thread sees it: a context of libosdp, what it may send, and when it begins anew.

Every reader has a context of its own, so that none bounces another. libosdp waits 300 s before it asks a lost
reader again; here its context is renewed at once, then after pauses of seconds. What it sends is checked byte
by byte: it never speaks in clear and never with the default key, unless the reader is being paired.
All methods belong to the bus's thread.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import osdp_sys

from edge.drivers.osdp import happenings as told
from edge.drivers.osdp.decode import (
    BUSY,
    CAP,
    CCRYPT,
    CHLNG,
    LSTAT,
    NAK,
    SCRYPT,
    SOM,
    Frame,
    KeyUnfitError,
    OsdpError,
    frame_of,
    knows_not,
    may_send,
    nak_text,
)
from edge.drivers.osdp.keys import ReaderKey, ReaderKeys
from edge.drivers.osdp.leftovers import let_go
from edge.drivers.osdp.line import LineError

INSTALL_S = 600
"""So long a reader may be paired; nothing makes it longer."""
MISSED_MAX = 3
"""So many commands in a row without an answer mean that the reader is not there."""
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 3.0)
"""Before a context is renewed, the more often it was in vain."""
LOST_LONG_S, SLOT_S, SLOT_LONG_S = 10.0, 1.0, 3.0
"""A reader that does not answer is asked every `SLOT_S`, and after `LOST_LONG_S` every `SLOT_LONG_S`."""
STABLE_S = 10.0
QUIET_S = 5.0
"""A context that sends nothing for so long has stopped: it goes by wall time, which may be set back."""
KEY_AGAIN_S = 5.0
_NS = 1_000_000_000

Command = dict[str, object]


class NotThereError(Exception):
    """The reader has no secure session now."""


class Station:
    """One reader. It is its context's channel too: `id`, `read`, `write` and `flush`, which never raise."""

    def __init__(
        self,
        name: str,
        address: int,
        *,
        keys: ReaderKeys,
        tell: Callable[[told.Happening], None],
        now_ns: Callable[[], int],
        offline_s: float,
    ) -> None:
        self.name = name
        self.id = self.address = address
        self.waiting = False
        """Whether a reply is due."""
        self.sent = b""
        """The last command, from SOM on."""
        self.line_error: LineError | None = None
        self.secure = False
        self.knows_status = True
        self._keys = keys
        self._tell = tell
        self._now_ns = now_ns
        self._offline_ns = int(offline_s * _NS)
        self._send: Callable[[bytes], None] | None = None
        self._context: osdp_sys.ControlPanel | None = None
        self._key: ReaderKey | None = None
        self._inbox = b""
        self._emptied: list[dict[str, Any]] = []
        """What events came in; given back once libosdp is left."""
        self._active = self._went_off = False
        self._refusal = ""
        self._reply: Frame | None = None
        self._missed = self._tries = self._noise = self._sessions = 0
        self._since_ns = self._rest_ns = self._wrote_ns = self._heard_ns = now_ns()
        self._offline_told = False
        self._key_told = ""
        self._why = "no answer"
        self._install_ns: int | None = None
        self._cleared_ns = -60 * _NS

    # --- what libosdp calls; an exception here would corrupt it -----------------------------------

    def read(self, max_bytes: int) -> bytes:
        """Give what came for this reader."""
        data, self._inbox = self._inbox[:max_bytes], self._inbox[max_bytes:]
        return data

    def write(self, data: bytes) -> int:
        """Send a command, or refuse it with -1."""
        try:
            frame = frame_of(data[data.find(SOM) :])
        except OsdpError:
            self._refusal = "libosdp made a frame that is none"
            return -1
        if not may_send(frame, installing=self.installing):
            default = frame.block_data == 0
            self._refusal = "default key refused" if default else f"command {frame.id:#04x} in clear refused"
            return -1
        if self._send is None:
            return -1
        try:
            self._send(data)
        except LineError as error:
            self.line_error = error
            return -1
        self.sent, self.waiting, self._reply, self._refusal = frame.raw, True, None, ""
        self._wrote_ns = self._now_ns()
        return len(data)

    def flush(self) -> None:
        """Forget what came."""
        self._inbox = b""

    def _event(self, _: int, event: dict[str, Any]) -> int:
        """Pass on an event; the dictionary, of which the binding loses a reference, keeps no card's bytes."""
        kind, args = event.get("event"), dict(event)
        event.clear()
        self._emptied.append(event)
        now = self._now_ns()
        if self._active and not self.installing and not self.secure and kind != osdp_sys.EVENT_NOTIFICATION:
            self._up()  # it was lost to us and has just proven that its session goes on
        if kind == osdp_sys.EVENT_NOTIFICATION:
            if args["type"] == osdp_sys.EVENT_NOTIFICATION_PD_STATUS:
                self._went_off = not args["arg0"]
            elif args["type"] == osdp_sys.EVENT_NOTIFICATION_SC_STATUS and args["arg0"] and not args["arg1"]:
                self._sessions += 1
        elif not self._active or self.installing:
            pass  # what comes before the session is whole is nobody's
        elif kind == osdp_sys.EVENT_CARDREAD and args["format"] != osdp_sys.CARD_FMT_ASCII:
            card = told.CardSeen(reader=self.name, at_ns=now, bits=args["length"], data=args["data"])
            self._tell(card)
        elif kind == osdp_sys.EVENT_KEYPRESS:
            self._tell(told.KeysPressed(reader=self.name, at_ns=now, data=args["data"]))
        elif (kind, args.get("type")) == (osdp_sys.EVENT_STATUS, osdp_sys.STATUS_REPORT_LOCAL):
            self._tell(told.StatusSeen(reader=self.name, at_ns=now, report=args["report"]))
        return 0

    # --- what the bus calls ----------------------------------------------------------------------

    @property
    def installing(self) -> bool:
        """Whether the reader may be paired now."""
        return self._install_ns is not None and self._now_ns() < self._install_ns

    @property
    def why(self) -> str:
        """Why there is no session, in a few words."""
        return self._why

    def attach(self, send: Callable[[bytes], None]) -> None:
        """The line is open."""
        self._send, self.line_error = send, None
        self._rest_ns = self._now_ns()

    def detach(self, reason: str) -> None:
        """The line is gone."""
        self._send = None
        self._drop()
        self._down(reason)
        self._why = reason

    def tick(self) -> None:
        """Look at the times: the end of pairing, and a reader that is away for too long."""
        now = self._now_ns()
        if self._install_ns is not None and now >= self._install_ns:
            self.close_install(paired=False, reason=f"not paired within {INSTALL_S // 60} minutes")
        if not self.secure and not self._offline_told and now - self._since_ns >= self._offline_ns:
            self._offline_told = True
            self._tell(told.Offline(reader=self.name, at_ns=now, reason=self._why))

    def step(self) -> bool:
        """Let libosdp go on; return whether a command went out whose reply is due."""
        self.tick()
        if self._now_ns() < self._rest_ns or not (self._context or self._begin()):
            return False
        self._go_on()
        return self.waiting

    def deliver(self, frame: Frame) -> None:
        """Take a reply of this reader that came while one was due."""
        if self._active and not self.installing and not frame.secure and frame.id not in (NAK, BUSY):
            now = self._now_ns()
            if now - self._cleared_ns >= 60 * _NS:
                self._cleared_ns = now
                self._tell(told.ClearText(reader=self.name, at_ns=now, reply=frame.id))
            return
        self.waiting, self._missed, self._noise, self._reply = False, 0, 0, frame
        if self.secure and frame.secure:
            self._heard_ns = self._now_ns()
        self._inbox = frame.raw
        self._go_on()

    def miss(self, noise: int) -> None:
        """No reply came in time; `noise` bytes that belong to no frame did."""
        self.waiting = False
        self._missed += 1
        self._noise += noise
        if self._missed >= MISSED_MAX:
            now = self._now_ns()
            long = not self.secure and now - self._since_ns > LOST_LONG_S * _NS
            self._rest_ns = now + int((SLOT_LONG_S if long else SLOT_S) * _NS)
            self._why = self._reason()
        self._look()

    def paired(self) -> str | None:
        """Return since when the reader has its own key, for a person; None: it has none."""
        return self._keys.since()

    def open_install(self) -> None:
        """Let the reader be paired with a fresh key; `KeyUnfitError` when there cannot be one."""
        self._keys.prepare()
        now = self._now_ns()
        self._install_ns = now + INSTALL_S * _NS
        self._drop()
        self._down("being paired")
        self._rest_ns, self._tries, self._why = now, 0, "no answer"
        self._tell(told.InstallOpened(reader=self.name, at_ns=now, until_ns=self._install_ns))

    def close_install(self, *, paired: bool, reason: str) -> None:
        """Let the reader not be paired any more; the next session is enforced to be secure."""
        self._install_ns = None
        self._drop()
        self._rest_ns = self._now_ns()
        self._tell(told.InstallClosed(reader=self.name, at_ns=self._now_ns(), paired=paired, reason=reason))

    def give_up_install(self, reason: str) -> None:
        """End pairing before its time, when it is not over yet."""
        if self._install_ns is not None:
            self.close_install(paired=False, reason=reason)

    def can(self, capability: int) -> bool:
        """Whether the reader says that it has this; asking it for more would end the session."""
        return self._context is not None and self._context.check_capability(0, capability)[0] > 0

    def submit(self, command: Mapping[str, object]) -> None:
        """Put a command into the queue; `NotThereError`."""
        if self._context is None or not self.secure:
            raise NotThereError(f"reader {self.name} has no secure session")
        if not self._context.submit_command(0, dict(command)):
            raise NotThereError(f"reader {self.name} takes no command now")

    def close(self) -> None:
        """Let libosdp's context go; ends pairing."""
        self._send = None
        self.give_up_install("the driver ended")
        self._drop()

    # --- sessions --------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Make a context with the key that is to be tried; False when there is no key."""
        try:
            keys = [self._keys.prepare()] if self.installing else self._keys.load()
        except KeyUnfitError as error:
            self._refuse_key(str(error))
            self._rest_ns = self._now_ns() + int(KEY_AGAIN_S * _NS)
            return False
        self._key = keys[self._tries % len(keys)]
        mode = osdp_sys.FLAG_INSTALL_MODE if self.installing else osdp_sys.FLAG_ENFORCE_SECURE
        # libosdp logs to stdout by itself, at its finer levels with the bytes of commands.
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        info = {
            "name": self.name[:15],
            "address": self.address,
            "flags": mode | osdp_sys.FLAG_ENABLE_NOTIFICATION,
            "scbk": self._key.secret,
            "channel": self,
        }
        self._context = osdp_sys.ControlPanel([info])
        self._context.set_event_callback(self._event)
        self._wrote_ns = self._now_ns()
        return True

    def _drop(self) -> None:
        self._context = self._key = self._reply = None
        self._inbox = b""
        self._active = self._went_off = self.waiting = False

    def _go_on(self) -> None:
        if self._context is not None:
            self._refresh(self._context)
            self._look()

    def _refresh(self, context: osdp_sys.ControlPanel) -> None:
        context.refresh()
        let_go(self._emptied)

    def _look(self) -> None:
        """Draw the conclusions from the context's state."""
        context, now = self._context, self._now_ns()
        if context is None:
            return
        self._active = bool(context.status() & context.sc_status() & 1)
        if self._active and self.installing:
            self._paired()
        elif self._active and self._missed < MISSED_MAX:
            if not self.secure:
                self._up()
            elif self._tries and now - self._since_ns > STABLE_S * _NS:
                self._tries = 0
        elif self.secure:
            self._down(self._reason())
        if self._went_off:
            self._renew()
        elif now - max(self._wrote_ns, self._rest_ns) > QUIET_S * _NS:
            self._drop()

    def _confirm(self) -> None:
        """Keep a fresh key that the reader has proven; until it can be kept it stays a fresh one."""
        if self._key is None or not self._key.fresh:
            return
        try:
            self._keys.confirm()
        except KeyUnfitError as error:
            self._refuse_key(str(error))
        else:
            self._key = ReaderKey(self._key.secret, fresh=False)

    def _paired(self) -> None:
        self._confirm()
        self.close_install(paired=True, reason="the reader has its own key")

    def _up(self) -> None:
        context, now = self._context, self._now_ns()
        self._confirm()
        identity = context.get_pd_id(0) if context is not None else {}
        self.secure, self._offline_told, self._key_told = True, False, ""
        away, self._since_ns, self._heard_ns = now - self._heard_ns, now, now
        self._tell(
            told.Online(
                reader=self.name,
                at_ns=now,
                away_ns=away,
                sessions=self._sessions,
                identity=" ".join(f"{key}={value}" for key, value in identity.items()),
            )
        )
        self.ask_status()

    def ask_status(self) -> None:
        """Ask for the local status, unless the reader is known not to have it."""
        if self.secure and self.knows_status:
            with suppress(NotThereError):  # its queue is full: it is asked again before long
                self.submit({"command": osdp_sys.CMD_STATUS, "type": osdp_sys.STATUS_REPORT_LOCAL})

    def _down(self, reason: str) -> None:
        if not self.secure:
            return
        now = self._now_ns()
        self.secure, self._since_ns, self._why = False, now, reason
        self._tell(told.Lost(reader=self.name, at_ns=now, reason=reason))

    def _renew(self) -> None:
        """Begin a new session after libosdp gave the old one up."""
        context, now = self._context, self._now_ns()
        self._why = self._reason()
        command, reply = self._last()
        if command == LSTAT and self._reply is not None and knows_not(self._reply):
            self.knows_status = False
            self._tell(told.StatusUnknown(reader=self.name, at_ns=now))
        if (command, reply) == (CHLNG, CCRYPT) or (command == SCRYPT and reply is not None):
            self._refuse_key(self._why)
        self._rest_ns = now + int(PAUSES_S[min(self._tries, len(PAUSES_S) - 1)] * _NS)
        self._tries += 1
        if context is None or self.installing or not self._same_key():
            self._drop()
            return
        context.disable_pd(0)
        self._refresh(context)
        if context.is_pd_enabled(0):
            self._drop()
            return
        context.enable_pd(0)
        self._went_off = self._active = self.waiting = False
        self._inbox = b""

    def _same_key(self) -> bool:
        """Whether the key of the context is still the only one to try."""
        try:
            keys = self._keys.load()
        except KeyUnfitError:
            return False
        return self._key is not None and [key.secret for key in keys] == [self._key.secret]

    def _refuse_key(self, reason: str) -> None:
        if reason != self._key_told:
            self._key_told = self._why = reason
            self._tell(told.KeyRefused(reader=self.name, at_ns=self._now_ns(), reason=reason))

    def _last(self) -> tuple[int | None, int | None]:
        """Return the last command and its reply, by their ids."""
        command = frame_of(self.sent).id if self.sent else None
        return command, self._reply.id if self._reply else None

    def _reason(self) -> str:
        """Return in a few words why there is no session."""
        command, reply = self._last()
        if self._refusal:
            return self._refusal
        if self._missed or reply is None:
            return "no answer" + (f", {self._noise} bytes of noise" if self._noise else "")
        if reply == NAK and self._reply is not None:
            return f"the reader refused command {command:#04x}: {nak_text(self._reply.first)}"
        if (command, reply) == (CHLNG, CCRYPT):
            return "the reader has another key, or still the default one"
        if command == SCRYPT:
            return "the reader does not accept our key"
        if command == CAP:
            return "the reader says that it has no secure channel"
        return f"the reader answered command {command:#04x} with {reply:#04x}"
