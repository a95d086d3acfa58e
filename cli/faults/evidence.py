"""Brings together what the devices gave out and what the hub stored, and has it accounted for.

It reads the database as any client would and writes nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from cli.faults.accounting import Device, Instant, StoredGap, Verdict, Window, account, overloads
from cloud.store.audit import Fed, batches_by_state, fed_points, gaps_since_last, stored_instants
from cloud.store.completeness import Unexplained, read_completeness
from cloud.store.gaps_read import list_gaps
from cloud.store.ledger_read import list_epochs
from cloud.store.points import get_point

Connection = psycopg.AsyncConnection[Any]

_GAPS_MAX = 1_000_000
_EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Unit:
    """A simulated device as the campaign knows it."""

    gateway: str
    prefix: str
    """First part of the names of its channels."""
    numbering: str
    """The channel that counts its answers."""
    points: int
    windows: Sequence[Window]
    goes_on: bool
    """Whether it is read until the end, so that what is missing after its last reading counts."""
    given_out: Callable[[], Mapping[int, float]]
    """Number -> when it left the device (UTC, seconds)."""
    values: Callable[[], Mapping[int, Sequence[object]]] = dict
    """Number -> what the answer said of each point."""


async def audit(dsn: str, units: Sequence[Unit], until: float, *, others: Collection[str] = ()) -> Verdict:
    """Account for everything that was given out until then; holes in the ledger count as losses.

    Of the gateways `others`, every point that is none of a unit's is judged by the hub's own account: what
    feeds it numbers nothing.
    """
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        fed = await fed_points(connection)
        verdict = account([await _device(connection, unit, fed=fed, until=until) for unit in units])
        for unit in units:
            await _account_silence(connection, unit, fed=fed, until=until, verdict=verdict)
        of_units = {(unit.gateway, unit.prefix) for unit in units}
        for row in fed:
            if row.gateway in others and not _is_units(row, of_units):
                await _account_other(connection, row, until=until, verdict=verdict)
        for epoch in await list_epochs(connection, limit=_GAPS_MAX):
            if epoch.missing:
                verdict.lost += epoch.missing
                verdict.findings.append(f"{epoch.gateway}: batches {epoch.missing_ranges} never came")
        open_batches = await batches_by_state(connection)
    for state in ("waiting", "quarantined"):
        if open_batches.get(state):
            verdict.findings.append(f"{open_batches[state]} batches are {state}")
    return verdict


async def stored_answers(dsn: str, units: Sequence[Unit]) -> list[int]:
    """Return how many answers of each unit are stored."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        stored = {(row.gateway, row.channel): row.readings for row in await fed_points(connection)}
    return [stored.get((unit.gateway, unit.numbering), 0) for unit in units]


def _is_units(row: Fed, of_units: Collection[tuple[str, str]]) -> bool:
    return any(
        gateway == row.gateway and row.channel.startswith(prefix + "/") for gateway, prefix in of_units
    )


async def _account_other(connection: Connection, row: Fed, *, until: float, verdict: Verdict) -> None:
    """Count what is stored twice at one instant, and what was due and is neither stored nor in a gap."""
    point = await get_point(connection, row.point_id)
    if point is None:
        return
    to_at = datetime.fromtimestamp(until, UTC)
    found = await read_completeness(connection, point, _EVER[0], to_at, now=datetime.now(UTC))
    verdict.others += 1
    verdict.duplicated += found.duplicated
    verdict.unexplained += found.unexplained
    if found.duplicated:
        verdict.findings.append(
            f"{row.gateway} {row.channel}: {found.duplicated} stored twice at one instant"
        )
    verdict.findings.extend(f"{row.gateway} {row.channel}: {_told(hole)}" for hole in found.holes)


def _told(hole: Unexplained) -> str:
    return (
        f"{hole.missing} due readings between {hole.from_at:%H:%M:%S.%f} and {hole.to_at:%H:%M:%S.%f} "
        f"are neither stored nor in a gap"
    )


async def _account_silence(
    connection: Connection, unit: Unit, *, fed: Sequence[Fed], until: float, verdict: Verdict
) -> None:
    """Count as unexplained where a reading was due, none was given out or stored, and no gap says why.

    That is the account which the hub itself gives of the point.
    """
    ids = [row.point_id for row in fed if (row.gateway, row.channel) == (unit.gateway, unit.numbering)]
    point = await get_point(connection, ids[0]) if ids else None
    if point is None:
        return
    if not unit.goes_on and (given := unit.given_out()):
        until = min(until, max(given.values()))
    to_at = datetime.fromtimestamp(until, UTC)
    found = await read_completeness(connection, point, _EVER[0], to_at, now=datetime.now(UTC))
    verdict.unexplained += found.unexplained * unit.points
    verdict.findings.extend(f"{unit.gateway} {unit.prefix}: {_told(hole)}" for hole in found.holes)


async def _device(connection: Connection, unit: Unit, *, fed: Sequence[Fed], until: float) -> Device:
    points = {
        row.channel: row.point_id
        for row in fed
        if row.gateway == unit.gateway and row.channel.startswith(unit.prefix + "/")
    }
    stored, gaps = [], []
    numbering = points.get(unit.numbering)
    if numbering is not None:
        now = datetime.now(UTC)
        stored = [
            Instant(row.observed_at.timestamp(), tuple(row.numbers), row.rows)
            for row in await stored_instants(connection, numbering, list(points.values()))
        ]
        found = await list_gaps(connection, *_EVER, now=now, point_id=numbering, limit=_GAPS_MAX)
        since_last = await gaps_since_last(connection, numbering)
        gaps = [
            StoredGap(
                cause=gap.cause,
                from_at=gap.from_at.timestamp() if gap.from_at else float("-inf"),
                to_at=gap.to_at.timestamp(),
                since_last=gap.id in since_last,
            )
            for gap in found
        ]
    # Asked last: whatever is stored by now has been given out before.
    given_out = unit.given_out()
    return Device(
        name=f"{unit.gateway} {unit.prefix}",
        points=unit.points,
        given_out=given_out,
        stored=stored,
        gaps=gaps,
        windows=[*unit.windows, *overloads(given_out)],
        values=unit.values(),
        until=until,
    )
