"""Who may pass which door of the demo: groups, schedules, rights, cards and authorisations, through the API.

Everything is entered again whenever the demo starts; what is there already stays.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cli.demo.entering import Entering
from cli.demo.web import Visitor

FACILITY = 17
CARDS: Mapping[str, int] = {"1001": 20001, "1002": 20002, "1003": 20003, "1004": 20004}
"""Number of a person -> number of the card, all of one facility."""
PIN = "2468"
SITE = "lab-1"
_NIGHT = [["sun"], 180, 181]
_ALWAYS: Mapping[str, object] = {
    "people": ["1001", "1002", "1003"],
    "zones": ["room-1", "room-2", "store", "archive"],
}
ITEMS: Sequence[tuple[str, str, str, Mapping[str, object]]] = (
    ("schedule", "night", "One minute on Sunday night", {"windows": [_NIGHT]}),
    ("zone", "archive", "", {"min_people": 2}),
    ("right", "staff", "Staff, at any time", _ALWAYS),
    ("right", "night", "At night", {"people": ["1004"], "zones": ["room-1", "room-2"], "schedule": "night"}),
    (
        "right",
        "respond",
        "Responders",
        {"effect": "respond", "people": ["1003"], "zones": ["room-1", "room-2"]},
    ),
    ("equipment", "bench-2", "Bench in room 2", {"zone": "room-2", "subject": "bench"}),
)
"""Kind, name, title and body of every item of the site's rights."""
_ACTS = ("acknowledge", "reset", "enable", "bypass", "check")
AUTHORISED: Sequence[tuple[str, str, str]] = (
    *((number, "activity", f"interlock.{act}") for number in ("1003", "1004") for act in _ACTS),
    ("1001", "equipment", "bench"),
    ("1002", "equipment", "bench"),
)
"""Number of a person, kind and subject."""


async def enter(visitor: Visitor) -> None:
    """Enter everything; `EnteringError` for the first thing that the hub refuses."""
    hub = Entering(visitor)
    people = {row["number"]: row["person_id"] for row in await hub.items("/api/access/people")}
    sites = {row["name"]: row["id"] for row in await hub.items("/api/sites")}
    for number, card in CARDS.items():
        path = f"/api/access/people/{people[number]}"
        body = {"format": "h10301", "facility": str(FACILITY), "number": str(card)}
        await hub.send("POST", f"{path}/cards", body, unless="a card that nobody")
        await hub.send("PUT", f"{path}/pins", {"pin": PIN})
    for kind, name, title, item in ITEMS:
        path = f"/api/sites/{sites[SITE]}/access/{kind}/{name}"
        await hub.send("PUT", path, {"title": title, "body": item})
    await _authorise(hub, people)


async def _authorise(hub: Entering, people: Mapping[str, int]) -> None:
    held = {(row["person_id"], row["kind"], row["subject"]) for row in await hub.items("/api/authorisations")}
    for number, kind, subject in AUTHORISED:
        if (people[number], kind, subject) in held:
            continue
        body = {
            "person_id": people[number],
            "kind": kind,
            "subject": subject,
            "from_at": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            "basis": "the demo",
        }
        await hub.send("POST", "/api/authorisations", body)
