"""How the check asks the hub: over its API, about stretches of time. It judges nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from cli.demo.system import System

_ASKED_MAX = 1000


class WrongError(Exception):
    """The answer is not the one that it should be."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time that is judged, UTC seconds."""

    from_at: float
    to_at: float

    @property
    def query(self) -> dict[str, str]:
        """As the API takes it."""
        return {"from": _text(self.from_at), "to": _text(self.to_at)}

    def __str__(self) -> str:
        """As a person reads it."""
        begin, end = (datetime.fromtimestamp(at, UTC) for at in (self.from_at, self.to_at))
        return f"{begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC"

    def pieces(self, longest_s: float) -> Iterator["Stretch"]:
        """Yield it in pieces, the last one first."""
        to_at = self.to_at
        while to_at > self.from_at:
            from_at = max(self.from_at, to_at - longest_s)
            yield Stretch(from_at, to_at)
            to_at = from_at


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the hub, as far as it is judged."""

    kind: str
    subject: str
    at: float
    """UTC, seconds."""
    data: Mapping[str, Any]


async def readings(system: System, point: int, stretch: Stretch) -> list[dict[str, Any]]:
    """Return the stored readings of a point."""
    query = {"point": str(point), "resolution": "raw", "max_points": "10000", **stretch.query}
    rows: list[dict[str, Any]] = (await json_of(system, "/api/readings", query))["readings"]
    return rows


async def events(system: System, gateway: str, stretch: Stretch) -> list[Happened]:
    """Return what a gateway told of a stretch, the oldest first."""
    rows = await items(system, "/api/events", {"gateway": gateway, **stretch.query})
    found = [Happened(row["kind"], row["subject"], at_of(row), row["data"]) for row in rows]
    return sorted(found, key=lambda one: one.at)


async def items(system: System, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the items of a list, of which there are fewer than a thousand."""
    answer = await json_of(system, path, {"limit": str(_ASKED_MAX), **(query or {})})
    found: list[dict[str, Any]] = answer["items"]
    return found


async def json_of(system: System, path: str, query: Mapping[str, str]) -> Any:
    """Return an answer of the API; `WrongError` for any other status than 200."""
    answer = await system.visitor.get(f"{path}?{urlencode(query)}")
    if answer.status != 200:
        raise WrongError(f"{path}: status {answer.status}: {answer.text[:200]}")
    return answer.json()


def at_of(row: Mapping[str, Any]) -> float:
    """Return when it was observed, UTC seconds."""
    return datetime.fromisoformat(row["observed_at"]).timestamp()


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
