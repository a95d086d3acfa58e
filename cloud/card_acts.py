"""What people do to what identifies somebody at a door: cards, PINs, the key of hashes, who is suspended.

Each act checks, changes and is audited in one transaction. No number of a card and no PIN is kept or told.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.identity.acts import Act, ActError, MissingError
from cloud.imports import cards
from cloud.store import imports
from cloud.store import rights_items as store
from cloud.store.rights_items import AccessPerson
from rules.access.words import CredentialState
from rules.permissions import Permission

PIN_MIN, PIN_MAX = 4, 12
KEY_BYTES = 32
PERSON_STATES = ("active", "suspended", "revoked")
_PIN_FORMAT = "keypad"


@dataclass(frozen=True, slots=True)
class AtDoors:
    """What a person is at doors."""

    state: str = "active"
    from_at: datetime | None = None
    to_at: datetime | None = None
    escorts: bool = False
    slow: bool = False


async def set_person(act: Act, person_id: int, new: AtDoors, *, why: str) -> None:
    """Say what a person is at doors; who is suspended or revoked is turned away within a second."""
    person = await _person(act, person_id)
    if new.state not in PERSON_STATES:
        raise ActError("state", new.state, f"one of {', '.join(PERSON_STATES)}")
    if new.from_at is not None and new.to_at is not None and new.to_at <= new.from_at:
        raise ActError("to", new.to_at.isoformat(), f"a time after {new.from_at.isoformat()}")
    if new.escorts and person.kind == "visitor":
        raise ActError("escorts", "a visitor", "staff")
    await store.set_person(
        act.connection,
        person,
        state=new.state,
        valid=(new.from_at, new.to_at),
        escorts=new.escorts,
        slow=new.slow,
    )
    await act.note(
        "access.person",
        f"person {person.number}",
        organisation_id=person.organisation_id,
        old=_told(AtDoors(person.state, person.from_at, person.to_at, person.escorts, person.slow)),
        new=_told(new),
        why=_text("why", why),
    )


async def set_card_state(act: Act, credential_id: int, state: str, *, why: str) -> None:
    """Say what became of a card; one that is not active any more is turned away within a second."""
    card = await store.get_card(act.connection, credential_id)
    if card is None:
        raise MissingError("credential", credential_id, "an existing credential")
    _need(act, card.organisation_id, thing="credential")
    if state not in tuple(CredentialState):
        raise ActError("state", state, f"one of {', '.join(CredentialState)}")
    await store.set_card_state(act.connection, card.id, state)
    await act.note(
        "credential.change",
        f"{card.kind} …{card.ending} of {card.number}",
        organisation_id=card.organisation_id,
        old={"state": card.state},
        new={"state": state},
        why=_text("why", why),
    )


@dataclass(frozen=True, slots=True, repr=False)
class NewCard:
    """A card that somebody is given; its number is kept as a keyed hash alone."""

    format: str
    facility: str
    number: str
    from_at: datetime | None = None
    to_at: datetime | None = None


async def give_card(act: Act, person_id: int, new: NewCard) -> int:
    """Give a person a card and return its id."""
    person = await _person(act, person_id)
    if (fault := cards.format_fault(new.format)) is not None:
        raise ActError("format", new.format, fault)
    card, field, expected = cards.card_of(new.format, new.facility.strip(), new.number.strip())
    if card is None:
        raise ActError(field, "…", expected)  # what was typed is a number of a card
    key = await _key(act, person.organisation_id)
    made = await store.add_card(
        act.connection,
        person,
        card_format=card.format,
        key_id=cards.key_id(key),
        token=card.token(key),
        ending=card.ending,
        valid=(new.from_at, new.to_at),
    )
    if made is None:
        raise ActError("number", "…", "a card that nobody of this organisation has")
    told = {"person": person.number, "format": card.format, "ending": card.ending}
    await act.note("credential.add", f"card …{card.ending}", organisation_id=person.organisation_id, new=told)
    return made


async def set_pins(act: Act, person_id: int, *, pin: str, duress_pin: str) -> None:
    """Set a person's PINs, empty for none; kept as keyed hashes alone."""
    person = await _person(act, person_id)
    for field, value in (("pin", pin), ("duress_pin", duress_pin)):
        if value and not (value.isascii() and value.isdigit() and PIN_MIN <= len(value) <= PIN_MAX):
            raise ActError(field, "…", f"{PIN_MIN} to {PIN_MAX} digits")
    if duress_pin and (not pin or duress_pin == pin):
        raise ActError("duress_pin", "…", "another PIN beside the PIN")
    key = await _key(act, person.organisation_id)
    await store.set_pins(
        act.connection,
        person,
        key_id=cards.key_id(key),
        pin=_pin_token(pin, key),
        duress_pin=_pin_token(duress_pin, key),
    )
    await act.note(
        "access.pin",
        f"person {person.number}",
        organisation_id=person.organisation_id,
        new={"pin": bool(pin), "duress_pin": bool(duress_pin)},
    )


def _pin_token(pin: str, key: bytes) -> str | None:
    """Return what a gateway makes of a PIN that was typed (`edge.credential`)."""
    if not pin:
        return None
    return hmac.digest(key, "\0".join(("pin", _PIN_FORMAT, "", pin)).encode(), "sha256").hex()[:32]


# --- the key ----------------------------------------------------------------------------------------------


async def take_key(act: Act, organisation_id: int, key: bytes) -> str:
    """Let an organisation's credentials be hashed with this key from now on; return its id."""
    _need(act, organisation_id, thing="key")
    if len(key) != KEY_BYTES:
        raise ActError("key", f"{len(key)} bytes", f"{KEY_BYTES} bytes")
    name = cards.key_id(key)
    known = await imports.credential_keys(act.connection, organisation_id)
    if key not in known:
        await imports.add_credential_key(act.connection, organisation_id, name, key, at=act.at)
    await store.retire_keys(act.connection, organisation_id, but=name, at=act.at)
    await act.note(
        "credential-key.take", "key of credentials", organisation_id=organisation_id, new={"key_id": name}
    )
    return name


async def key_of(act: Act, organisation_id: int) -> bytes:
    """Return the key of an organisation's credentials, made when there is none. It is told to nobody else."""
    _need(act, organisation_id, thing="key")
    key = await _key(act, organisation_id)
    await act.note(
        "credential-key.give",
        "key of credentials",
        organisation_id=organisation_id,
        new={"key_id": cards.key_id(key)},
    )
    return key


async def _key(act: Act, organisation_id: int) -> bytes:
    found = await imports.credential_keys(act.connection, organisation_id)
    if found:
        return found[0]
    key = secrets.token_bytes(KEY_BYTES)
    name = cards.key_id(key)
    await imports.add_credential_key(act.connection, organisation_id, name, key, at=act.at)
    await act.note(
        "credential-key.make", "key of credentials", organisation_id=organisation_id, new={"key_id": name}
    )
    return key


def _need(act: Act, organisation_id: int, *, thing: str) -> None:
    act.need(Permission.ACCESS_MANAGE, organisation_id, thing=thing)


async def _person(act: Act, person_id: int) -> AccessPerson:
    found = await store.list_people(act.connection, person_id=person_id)
    if not found:
        raise MissingError("person", person_id, "an existing person")
    _need(act, found[0].organisation_id, thing="person")
    return found[0]


def _told(one: AtDoors) -> dict[str, Any]:
    return {name: getattr(one, name) for name in AtDoors.__slots__}


def _text(field: str, value: str, longest: int = 500) -> str:
    value = " ".join(value.split())
    if not 1 <= len(value) <= longest or "\0" in value:
        raise ActError(field, value, f"a text of 1 to {longest} characters")
    return value
