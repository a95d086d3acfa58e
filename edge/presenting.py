"""Presents cards, PINs and people: to who decides the credential itself, to the journal its keyed hash.

Every driver that reads credentials goes through here, so that a decision has one entry, `Given.presented`.
"""

import asyncio

from edge.credential import Credential, CredentialError, Presented, key_id, load_key
from edge.driver import DeviceUnavailable, Given, ticks
from edge.keypad import Dropped, PinPad
from wire.messages import Event, Scalar
from wire.status import GapCause


class Presenter:
    """What one run of a driver presents with."""

    def __init__(self, given: Given, key: bytes) -> None:
        """`key` is the gateway's key of credentials."""
        self._present = given.presented
        self._doubt_ms = given.doubt_ms
        self._key = key
        self._key_id = key_id(key)

    def present(self, reader: str, credential: Credential, at_ns: int) -> dict[str, Scalar]:
        """Give a credential to who decides, and return what its event says of it.

        The listener is called in the loop, next; what it raises costs neither the driver nor the event.
        """
        presented = Presented(reader, credential, at_ns, self._doubt_ms(ticks(at_ns)))
        asyncio.get_running_loop().call_soon(self._present, presented)
        return self.told(credential)

    def told(self, credential: Credential) -> dict[str, Scalar]:
        """Return what an event may say of a credential: by what it is known elsewhere."""
        return {"token": credential.token(self._key), "key_id": self._key_id}


async def presenter(given: Given) -> Presenter:
    """Return one with the gateway's key, made when it is missing; `DeviceUnavailable` when it is unfit."""
    try:
        return Presenter(given, await asyncio.to_thread(load_key, given.folder))
    except CredentialError as error:
        raise DeviceUnavailable(str(error), GapCause.GATEWAY) from None


class Door:
    """One reader of cards with a keypad: its events, whatever line it is on."""

    def __init__(self, reader: str, presenter: Presenter, *, pin_timeout_s: float) -> None:
        """`reader` is the subject of its events."""
        self._reader = reader
        self._presenter = presenter
        self._pins = PinPad(pin_timeout_s)

    @property
    def due_ns(self) -> int | None:
        """When `expire` has something to do."""
        return self._pins.due_ns

    def card(self, card: Credential, bits: int, at_ns: int) -> Event:
        """Present a card and return its event."""
        known = self._presenter.present(self._reader, card, at_ns)
        shown: dict[str, Scalar] = {"format": card.format, "bits": bits, "masked": card.masked}
        return self.event("card_read", at_ns, shown | known)

    def unreadable(self, bits: int, reason: str, at_ns: int) -> Event:
        """Return the event of what is no card."""
        return self.event("card_unreadable", at_ns, {"bits": bits, "reason": reason})

    def keys(self, keys: str, at_ns: int) -> list[Event]:
        """Take pressed keys, present a PIN that they complete, and return the events."""
        events = []
        for done in self._pins.press(keys, at_ns):
            if isinstance(done, Dropped):
                events.append(self.dropped(done.value, at_ns))
            else:
                known = self._presenter.present(self._reader, Credential("pin", "keypad", done), at_ns)
                events.append(self.event("pin_entered", at_ns, known))
        return events

    def dropped(self, reason: str, at_ns: int) -> Event:
        """Return the event of keys that came to no PIN."""
        return self.event("pin_dropped", at_ns, {"reason": reason})

    def expire(self, now_ns: int) -> list[Event]:
        """Drop keys that wait for more for too long."""
        dropped = self._pins.expire(now_ns)
        return [] if dropped is None else [self.dropped(dropped.value, now_ns)]

    def forget(self) -> None:
        """Drop keys without a word: the reader is gone."""
        self._pins.forget()

    def event(self, kind: str, at_ns: int, data: dict[str, Scalar]) -> Event:
        """Return any event of this reader."""
        return Event(kind, self._reader, ticks(at_ns), data)
