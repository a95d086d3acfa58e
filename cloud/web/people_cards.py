"""What the forms of a person's page do to cards, PINs and what the person is at doors (`cloud.card_acts`)."""

from collections.abc import Mapping
from dataclasses import replace

from cloud import card_acts
from cloud.card_acts import AtDoors, NewCard
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.store import rights_items
from cloud.web.words import mark

PERSON_STATES = {
    "active": mark("may use doors as rights say"),
    "suspended": mark("suspended: turned away at every door"),
    "revoked": mark("revoked: turned away at every door"),
}
PREFIX = "card_"
"""Before the names of the fields, which other forms of the page have too."""
_KEPT = ("card_format", "card_facility", "card_state", "card_credential", "card_person_state")
"""What stays typed after a fault. Numbers of cards and PINs are not shown again, whoever typed them."""


async def act_on_cards(act: Act, person_id: int, form: Mapping[str, str]) -> None:
    """Do what a form asks for; `ActError` with the name of the form's field."""
    try:
        await _act(act, person_id, {name.removeprefix(PREFIX): value for name, value in form.items()})
    except ActError as error:
        if isinstance(error, MissingError | ForbiddenError):
            raise
        raise ActError(PREFIX + error.field, error.value, error.expected) from None


def kept_of(form: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a form may show again."""
    return {name: form[name] for name in _KEPT if name in form}


async def _act(act: Act, person_id: int, form: Mapping[str, str]) -> None:
    wanted, why = form.get("do", ""), form.get("why", "")
    if wanted == "give":
        new = NewCard(form.get("format", ""), form.get("facility", ""), form.get("number", ""))
        await card_acts.give_card(act, person_id, new)
    elif wanted == "state":
        credential = form.get("credential", "")
        if not credential.isascii() or not credential.isdigit() or len(credential) > 9:
            raise ActError("credential", credential, "a card of this person")
        card = await rights_items.get_card(act.connection, int(credential))
        if card is None or card.person_id != person_id:
            raise ActError("credential", credential, "a card of this person")
        await card_acts.set_card_state(act, card.id, form.get("state", ""), why=why)
    elif wanted == "pins":
        if not form.get("pin"):
            raise ActError("pin", "…", "a PIN, or the button that clears it")
        await card_acts.set_pins(act, person_id, pin=form["pin"], duress_pin=form.get("duress_pin", ""))
    elif wanted == "pins-clear":
        await card_acts.set_pins(act, person_id, pin="", duress_pin="")
    elif wanted == "person":
        await card_acts.set_person(act, person_id, await _at_doors(act, person_id, form), why=why)
    else:
        raise ActError("do", wanted, "an act of this page")


async def _at_doors(act: Act, person_id: int, form: Mapping[str, str]) -> AtDoors:
    """Return what a person is from now on; from when until when stays as it is."""
    found = await rights_items.list_people(act.connection, person_id=person_id)
    known = AtDoors() if not found else AtDoors(from_at=found[0].from_at, to_at=found[0].to_at)
    return replace(known, state=form.get("person_state", ""), escorts="escorts" in form, slow="slow" in form)
