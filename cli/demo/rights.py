"""Who may pass which door of the demo: groups, schedules, rights, cards and authorisations, through the API.

Everything is entered again whenever the demo starts; what is there already stays.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli.demo.web import Answer, Visitor

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


class RightsError(Exception):
    """The hub did not take something; the text says what it answered."""


async def enter(visitor: Visitor) -> None:
    """Enter everything; `RightsError` for the first thing that the hub refuses."""
    people = {row["number"]: row["person_id"] for row in await _items(visitor, "/api/access/people")}
    sites = {row["name"]: row["id"] for row in await _items(visitor, "/api/sites")}
    for number, card in CARDS.items():
        path = f"/api/access/people/{people[number]}"
        body = {"format": "h10301", "facility": str(FACILITY), "number": str(card)}
        answer = await visitor.send("POST", f"{path}/cards", body)
        if answer.status != 201 and "a card that nobody" not in answer.text:
            raise RightsError(_said(f"card of {number}", answer))
        await _send(visitor, "PUT", f"{path}/pins", {"pin": PIN})
    for kind, name, title, item in ITEMS:
        path = f"/api/sites/{sites[SITE]}/access/{kind}/{name}"
        await _send(visitor, "PUT", path, {"title": title, "body": item})
    await _authorise(visitor, people)


async def _authorise(visitor: Visitor, people: Mapping[str, int]) -> None:
    held = {
        (row["person_id"], row["kind"], row["subject"])
        for row in await _items(visitor, "/api/authorisations")
    }
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
        await _send(visitor, "POST", "/api/authorisations", body)


async def _items(visitor: Visitor, path: str) -> list[dict[str, Any]]:
    answer = await visitor.get(f"{path}?limit=1000")
    if answer.status != 200:
        raise RightsError(_said(path, answer))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _send(visitor: Visitor, method: str, path: str, body: Mapping[str, object]) -> None:
    answer = await visitor.send(method, path, body)
    if answer.status >= 300:
        raise RightsError(_said(f"{method} {path}", answer))


def _said(what: str, answer: Answer) -> str:
    return f"{what}: status {answer.status}: {answer.text[:300]}"
