"""What the demo watches and whom it calls: a template on the temperatures of room 2, and an escalation.

Nobody is really called: the ways lead to an address of this machine where nobody listens.
"""

from cli.demo.entering import Entering
from cli.demo.web import Visitor

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
_DIGEST_S = 31
"""A demo that is played again and again trips often: a flood, and nobody waits minutes for its digests."""
_WHY = "the demo"


async def enter(visitor: Visitor) -> None:
    """Enter what is not there yet, once the gateways have declared their points; `EnteringError`."""
    hub = Entering(visitor)
    sites = {row["name"]: row["id"] for row in await hub.items("/api/sites")}
    organisation = (await hub.items("/api/access/people"))[0]["organisation_id"]
    if TEMPLATE in {row["name"] for row in await hub.items("/api/alarm-templates")}:
        return
    points = {(row["site"], row["name"]): row["id"] for row in await hub.items("/api/points")}
    of_it = {"organisation_id": organisation}
    for way in WAYS:
        await hub.send(
            "PUT", f"/api/alarm-ways/{way}", {**of_it, "kind": "webhook", "target": _NOWHERE + way}
        )
    steps = [{"to": [WAYS[0]]}, {"to": [WAYS[1]], "after_s": ESCALATES_S}]
    policy = {
        "chains": {"duty": {"steps": steps}},
        "routes": [{"chain": "duty"}],
        "digest_s": _DIGEST_S,
        "reason": _WHY,
    }
    await hub.send("PUT", f"/api/sites/{sites[SITE]}/alarm-policy", policy)
    template = {**of_it, "quantity": "temperature", "rules": _RULES, "reason": _WHY}
    await hub.send("PUT", f"/api/alarm-templates/{TEMPLATE}", template)
    watched = {**of_it, "points": [points[SITE, name] for name in POINTS], "reason": _WHY}
    await hub.send("POST", f"/api/alarm-templates/{TEMPLATE}/points", watched)
