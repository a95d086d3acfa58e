"""Many cards and rights for the doors of `heng bench control`, and cards held to their readers."""

import asyncio
import random
import time
from collections.abc import Sequence

import msgspec

from edge.access.rights import RightsDesk
from edge.control.room import Control
from edge.credential import Credential, Presented
from rules.access.document import (
    AccessRights,
    Offset,
    Person,
    Portal,
    Right,
    Schedule,
    Window,
    Zone,
)
from rules.access.document import Credential as Known
from rules.access.words import DayName
from wire.settings.portal import PortalSettings
from wire.shadow import Revision

CREDENTIALS, RIGHTS = 10_000, 1_000
FACILITIES = 40
"""So many facility codes share the cards."""
APART_S = 0.01


def card(number: int) -> Credential:
    """Return the card of a person."""
    return Credential("card", "h10301", str(number // FACILITIES + 1), number % FACILITIES)


def rights(gateway: str, desk: RightsDesk, portals: Sequence[PortalSettings]) -> bytes:
    """Return rights as they come from the hub: ten people in each right, at one of the doors."""
    always = Window(tuple(DayName), 0, 1440)
    names = [one.name for one in portals]
    people = [f"p-{number}" for number in range(CREDENTIALS)]
    share = CREDENTIALS // RIGHTS
    document = AccessRights(
        gateway=gateway,
        revision=Revision(1, 1),
        issued_at_ms=int(time.time() * 1000),
        max_age_s=7 * 86_400,
        key_id=desk.key_id,
        time_zone="UTC",
        offsets=(Offset(0, 0),),
        schedules=tuple(Schedule(id=f"t-{number}", windows=(always,)) for number in range(20)),
        people=tuple(Person(one) for one in people),
        credentials=tuple(Known(card(at).token(desk.key), one) for at, one in enumerate(people)),
        zones=tuple(Zone(id=f"z-{name}") for name in names),
        portals=tuple(Portal(id=name, to_zone=f"z-{name}") for name in names),
        rights=tuple(
            Right(
                id=f"r-{number}",
                people=tuple(people[number * share : (number + 1) * share]),
                sides=(f"{names[number % len(names)]}/in",),
                schedule=f"t-{number % 20}",
            )
            for number in range(RIGHTS)
        ),
    )
    return msgspec.json.encode(document)


async def hold_cards(
    control: Control, desk: RightsDesk, portals: Sequence[PortalSettings], *, number: int
) -> list[float]:
    """Hold cards to readers so often; return milliseconds from the card's event to the decision told."""
    chance, found = random.Random(3), []
    assert desk.snapshot is not None
    assert len(desk.snapshot.document.credentials) == CREDENTIALS
    readers = [one.reader_in for one in portals if one.reader_in is not None]
    for _ in range(number):
        await asyncio.sleep(chance.uniform(0, APART_S))
        shown = Presented(chance.choice(readers), card(chance.randrange(CREDENTIALS)), time.monotonic_ns())
        begun = time.perf_counter_ns()
        control.presented(shown)
        found.append((time.perf_counter_ns() - begun) / 1e6)
    return found
