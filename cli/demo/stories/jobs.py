"""Jobs of the demo: planned, begun, held by a breach, released by who may."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.demo.stories.doors import shows
from cli.demo.stories.teller import Teller

METHOD = "demo-voltage"
PEOPLE = ("1001", "1002")


@dataclass(frozen=True, slots=True)
class Work:
    """Where work is done, and with what."""

    site: str
    zone: str
    door: str | None = None
    """By which people come in; None: no door tells who is there, a person says it."""
    instruments: tuple[str, ...] = ()


ROOM_2 = Work("lab-1", "room-2", "between")
CABIN = Work("mobile-1", "cabin", instruments=("bath",))


async def running(teller: Teller, work: Work = ROOM_2) -> int:
    """Have a job running, the one of an earlier story where it goes on; return its id."""
    for state in ("running", "held"):
        for job in await teller.items("/api/jobs", {"state": state}):
            if job["zone"] == work.zone:
                if state == "held":
                    await release(teller, job["id"])
                return int(job["id"])
    site = next(row for row in await teller.items("/api/sites") if row["name"] == work.site)
    people = await teller.items("/api/access/people")
    version = await _version(teller, people[0]["organisation_id"])
    for person in PEOPLE if work.door is not None else ():
        await shows(teller, person, work.door or "", expected="granted", enters=True)
    now = datetime.now(UTC)
    plan = {
        "site_id": site["id"],
        "number": f"DEMO-{now:%Y%m%d-%H%M%S}-{work.zone}",
        "method": METHOD,
        "version": version,
        "zone": work.zone,
        "people": list(PEOPLE),
        "instruments": list(work.instruments),
        "from_at": _text(now),
        "to_at": _text(now + timedelta(hours=8)),
    }
    made = await teller.send("POST", "/api/jobs", plan)
    await teller.send("POST", f"/api/jobs/{made['id']}/start", {"present": list(PEOPLE)})
    await teller.see(f"job {plan['number']} runs in {work.zone}", lambda: _is(teller, made["id"], "running"))
    return int(made["id"])


async def is_held(teller: Teller, job: int) -> None:
    """See a job held, with the cause."""

    async def held() -> str | None:
        told = await _job(teller, job)
        if told["state"] != "held":
            return None
        causes = {one["name"] for hold in told.get("holds", []) for one in hold.get("causes", [])}
        return ", ".join(sorted(causes))

    await teller.see("the running job is held", held, within_s=30)


async def release(teller: Teller, job: int, *, by: str = "safety") -> None:
    """Have a job released by who may, with a reason."""
    body = {"reason": "the climate is back within its limits", "present": list(PEOPLE)}

    async def let_go() -> str | None:
        answer = await teller.user(by).send("POST", f"/api/jobs/{job}/release", body)
        if answer.status >= 300:  # a cause stands until the hub has heard that it is over
            raise OSError(f"status {answer.status}: {answer.text[:300]}")
        return ""

    await teller.see(f"{by} releases the job, with a reason", let_go, within_s=30)
    await teller.see(f"the job goes on, released by {by}", lambda: _is(teller, job, "running"))


async def _is(teller: Teller, job: int, state: str) -> str | None:
    return "" if (await _job(teller, job))["state"] == state else None


async def _job(teller: Teller, job: int) -> dict[str, Any]:
    found: dict[str, Any] = await teller.get(f"/api/jobs/{job}")
    return found


async def _version(teller: Teller, organisation: int) -> int:
    known = [row for row in await teller.items("/api/methods") if row["method"] == METHOD]
    if known:
        return int(max(row["version"] for row in known))
    body = {
        "organisation_id": organisation,
        "method": METHOD,
        "limits": [{"quantity": "temperature", "low": "12", "high": "26"}],
        "people_min": 2,
        "reason": "the demo",
    }
    return int((await teller.send("POST", "/api/methods", body))["version"])


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
