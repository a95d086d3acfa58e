"""What the demo watches and whom it calls: a template on the temperatures of room 2, and an escalation.

Nobody is really called: the ways lead to an address of this machine where nobody listens.
"""

from collections.abc import Mapping
from typing import Any

from cli.demo.web import Answer, Visitor

TEMPLATE = "room-climate"
POINTS = ("room-2/air/temperature", "room-2/bench/temperature")
SITE = "lab-1"
ESCALATES_S = 5
WAYS = ("duty", "head-of-laboratory")
"""Who is told at once, and who when nobody acknowledges."""
_NOWHERE = "http://127.0.0.1:9/"
_RULES = [
    {"condition": "hihi", "priority": "urgent", "limit": "26", "deadband": "0.5"},
    {"condition": "hi", "priority": "medium", "limit": "24", "deadband": "0.5", "on_delay_s": 2},
]
_WHY = "the demo"


class AlarmsError(Exception):
    """The hub did not take something; the text says what it answered."""


async def enter(visitor: Visitor) -> None:
    """Enter what is not there yet; the gateways have declared their points before."""
    sites = {row["name"]: row["id"] for row in await _items(visitor, "/api/sites")}
    organisation = (await _items(visitor, "/api/access/people"))[0]["organisation_id"]
    if TEMPLATE in {row["name"] for row in await _items(visitor, "/api/alarm-templates")}:
        return
    points = {(row["site"], row["name"]): row["id"] for row in await _items(visitor, "/api/points")}
    of_it = {"organisation_id": organisation}
    for way in WAYS:
        await _send(
            visitor, "PUT", f"/api/alarm-ways/{way}", {**of_it, "kind": "webhook", "target": _NOWHERE + way}
        )
    steps = [{"to": [WAYS[0]]}, {"to": [WAYS[1]], "after_s": ESCALATES_S}]
    policy = {"chains": {"duty": {"steps": steps}}, "routes": [{"chain": "duty"}], "reason": _WHY}
    await _send(visitor, "PUT", f"/api/sites/{sites[SITE]}/alarm-policy", policy)
    template = {**of_it, "quantity": "temperature", "rules": _RULES, "reason": _WHY}
    await _send(visitor, "PUT", f"/api/alarm-templates/{TEMPLATE}", template)
    watched = {**of_it, "points": [points[SITE, name] for name in POINTS], "reason": _WHY}
    await _send(visitor, "POST", f"/api/alarm-templates/{TEMPLATE}/points", watched)


async def _items(visitor: Visitor, path: str) -> list[dict[str, Any]]:
    answer = await visitor.get(f"{path}?limit=1000")
    if answer.status != 200:
        raise AlarmsError(_said(path, answer))
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def _send(visitor: Visitor, method: str, path: str, body: Mapping[str, object]) -> None:
    answer = await visitor.send(method, path, body)
    if answer.status >= 300:
        raise AlarmsError(_said(f"{method} {path}", answer))


def _said(what: str, answer: Answer) -> str:
    return f"{what}: status {answer.status}: {answer.text[:300]}"
