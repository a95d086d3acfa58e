"""The cause-and-effect matrix of an interlock, or of all of a gateway, as a page to print: from the settings.

It shows what the rules say, not how things stand: `rules.interlock.matrix` has the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from cloud.api.guard import needs
from cloud.interlock_acts import Provable, due
from cloud.interlock_rules import Configured, configured, points_named
from cloud.store import proofs
from cloud.store.connection import Connection
from cloud.store.shadow import Owner, owner
from cloud.store.sites import get_site, shared_zone
from cloud.store.snapshot import snapshot
from cloud.web.context import Web
from cloud.web.errors import NotHereError
from cloud.web.interlocks_words import EFFECTS, PROOF_STATES, say_cause_words, say_word
from cloud.web.language import Language
from cloud.web.reasons import Said
from cloud.web.render import language_of, zone_of
from rules.interlock.matrix import bounds, breach_s, make_matrix, worst_s
from rules.interlock.model import HARD, Cause, Interlock, Limit
from rules.interlock.plan import fingerprint, point_of, stale_ticks
from rules.permissions import Permission
from wire.messages import TICK_MS, TICKS_PER_S


@dataclass(frozen=True, slots=True)
class PrintedCause:
    """One row."""

    group: str
    votes: str
    name: str
    words: Said
    stale_s: str
    """Empty: it has no staleness of its own."""
    off_delay_s: str
    deadband: str
    bypassable: bool
    safe_within_s: str
    """From the breach to the confirmed safe state, at most, as computed; empty: it is not known."""
    safe_lost_s: str
    """From when its sensor is lost; empty also where it cannot be."""


@dataclass(frozen=True, slots=True)
class PrintedRule:
    """One interlock: every cause of it has all of its effects."""

    name: str
    title: str
    fingerprint: str
    breach_s: str
    worst_s: str
    """Also when a sensor is lost."""
    causes: Sequence[PrintedCause]
    effects: Sequence[str]
    proof: str
    proof_due_ms: int | None


def add_matrix_pages(router: APIRouter, web: Web) -> None:
    """Add the matrix of an interlock and that of a gateway."""
    pages = MatrixPages(web)
    router.add_api_route("/interlocks/{gateway}/{interlock}/matrix", pages.one)
    router.add_api_route("/gateways/{gateway}/matrix", pages.all)


class MatrixPages:
    """The routes about what is printed."""

    def __init__(self, web: Web) -> None:
        self._web = web

    @needs(Permission.CONTROL_READ)
    async def one(self, request: Request, gateway: str, interlock: str) -> HTMLResponse:
        """Return the matrix of one interlock."""
        return await self._page(request, gateway, interlock)

    @needs(Permission.CONTROL_READ)
    async def all(self, request: Request, gateway: str) -> HTMLResponse:
        """Return the matrix of each interlock of a gateway."""
        return await self._page(request, gateway, None)

    async def _page(self, request: Request, gateway: str, interlock: str | None) -> HTMLResponse:
        language, now = language_of(request), self._web.now()
        async with snapshot(self._web.pool) as connection:
            found = await owner(connection, gateway, now)
            if found is None:
                raise NotHereError
            known = await configured(connection, found)
            rules = [one for one in known.rules if interlock in (None, one.name)]
            if interlock is not None and not rules:
                raise NotHereError
            printed = [await _printed(connection, (found, known), one, language, at=now) for one in rules]
            site = None if found.site_id is None else await get_site(connection, found.site_id)
            zone = zone_of(site.time_zone if site else await shared_zone(connection))
        shows = {
            "page": "interlocks",
            "gateway": gateway,
            "site": site.title if site else "",
            "rules": printed,
            "revision": known.revision,
        }
        return self._web.render.page(request, "interlocks_matrix.html", shows, zone=zone)


async def _printed(
    connection: Connection,
    place: tuple[Owner, Configured],
    rule: Interlock,
    language: Language,
    *,
    at: datetime,
) -> PrintedRule:
    held, known = place
    mark = fingerprint(rule)
    proof = due(
        Provable(held, known, rule, mark), await proofs.list_proofs(connection, held.id, rule.name), at
    )
    return PrintedRule(
        name=rule.name,
        title=rule.title,
        fingerprint=mark,
        breach_s=f"{breach_s(rule, known.plant):.2f}" if _is_known(rule, known) else "",
        worst_s=f"{worst_s(rule, known.plant):.2f}" if _is_known(rule, known) else "",
        causes=_causes(rule, known, language),
        effects=[f"{say_word(language, EFFECTS, one.kind)} {one.target}" for one in rule.effects],
        proof=say_word(language, PROOF_STATES, proof.state.value),
        proof_due_ms=None if proof.due_utc is None else proof.due_utc * TICK_MS,
    )


def _causes(rule: Interlock, known: Configured, language: Language) -> list[PrintedCause]:
    plant = known.plant
    rows = make_matrix([rule], plant).rows
    computed = bounds(rule, plant) if _is_known(rule, known) else [None] * len(rows)
    return [
        PrintedCause(
            group=row.group,
            votes=f"{group.needed} / {len(group.causes)}",
            name=cause.name,
            words=say_cause_words(language, row.words),
            stale_s=_stale(cause, known),
            off_delay_s=f"{cause.off_delay_s:g}",
            deadband=f"{cause.condition.deadband:f}" if isinstance(cause.condition, Limit) else "",
            bypassable=cause.bypassable,
            safe_within_s="" if bound is None else f"{bound.breach_s:.2f}",
            safe_lost_s="" if bound is None or bound.lost_s is None else f"{bound.lost_s:.2f}",
        )
        for row, (group, cause), bound in zip(rows, rule.causes(), computed, strict=True)
    ]


def _is_known(rule: Interlock, known: Configured) -> bool:
    """Whether the gateway declared all that the time to the safe state is computed from."""
    targets = {one.target for one in rule.effects if one.kind in HARD}
    return points_named(rule) <= known.plant.sensors.keys() and targets <= known.plant.outputs.keys()


def _stale(cause: Cause, known: Configured) -> str:
    point = point_of(cause.condition)
    sensor = None if point is None else known.plant.sensors.get(point)
    found = None if sensor is None else stale_ticks(sensor, cause.stale_after_s)
    return "" if found is None else f"{found / TICKS_PER_S:g}"
