"""Acts on gateways for one request: who asks must hold the permission where the gateway serves.

Ids of gateways are unique in the whole hub. So what may be seen and done is judged first, by what the asker
may see; the act itself then sees everything. Pages and API call these functions.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request

from cloud import gateway_acts
from cloud.api.errors import ApiError, not_found
from cloud.api.guard import guard_of, viewer_of
from cloud.gateway_acts import CLAIM_HOURS, Actor, ActRefusedError, Made, Replacement, Wish
from cloud.store import directory, fleet
from cloud.store.connection import Connection
from cloud.store.fleet import ClaimSite, FleetRow
from cloud.store.snapshot import ASKER, Pool, changing, snapshot
from rules.permissions import Permission

_NEEDED = f"it asks for the permission {Permission.GATEWAYS_MANAGE} where the gateway serves"


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and when."""

    request: Request
    pool: Pool
    now: datetime

    def may(self, organisation_id: int, site_id: int | None) -> bool:
        """Whether gateways may be managed at a site, or (None) in the whole organisation."""
        return viewer_of(self.request).may(Permission.GATEWAYS_MANAGE, organisation_id, site_id)

    @property
    def actor(self) -> Actor:
        """Return who acts, as in the audit log."""
        entry = viewer_of(self.request).entry("", "")
        return Actor(entry.actor_kind, entry.actor, entry.origin)


async def claim(asking: Asking, site_id: int, gateway: str | None, *, hours: int = CLAIM_HOURS) -> Made:
    """Make a claim at a site that the asker manages; `ApiError` 404 or 403, `ActRefusedError`."""
    site = await _site(asking, site_id)
    await _need(asking, site.organisation_id, site.id)
    async with _whole(asking) as connection:
        await directory.change(connection)  # changes queue here: who has the id is settled now
        taken = await fleet.find(connection, gateway, asking.now) if gateway else None
        if taken is not None and not asking.may(taken.organisation_id, taken.site_id):
            raise ActRefusedError(f"gateway {taken.name}: expected an id that nobody else has", "taken")
        wish = Wish(site.name, gateway, site.organisation_id, hours)
        return await gateway_acts.make_claim(connection, asking.actor, wish, now=asking.now)


async def approve(asking: Asking, gateway: str) -> None:
    """Let a gateway back in; raises as `claim` does."""
    await _managed(asking, gateway)
    async with _whole(asking) as connection:
        await gateway_acts.approve(connection, asking.actor, gateway, now=asking.now)


async def revoke(asking: Asking, gateway: str, *, why: str) -> None:
    """Refuse a gateway for ever; raises as `claim` does."""
    await _managed(asking, gateway)
    async with _whole(asking) as connection:
        await gateway_acts.revoke(connection, asking.actor, gateway, why=why, now=asking.now)


async def replace(asking: Asking, wish: Replacement) -> Made:
    """Make the claim of a gateway that stands in for another one; raises as `claim` does."""
    await _managed(asking, wish.old)
    async with _whole(asking) as connection:
        return await gateway_acts.replace(connection, asking.actor, wish, now=asking.now)


async def claimed(asking: Asking, gateway: str) -> tuple[FleetRow, ClaimSite | None]:
    """Return a gateway whose claim the asker just made, and its site, or that of the one that it replaces.

    Who stands in serves no site before it is enrolled, and is seen by nobody who manages a site alone.
    """
    async with _whole(asking) as connection:
        found = await fleet.find(connection, gateway, asking.now)
        assert found is not None
        serves = found
        if found.site_id is None and found.replaces:
            serves = await fleet.find(connection, found.replaces, asking.now) or found
        sites = await fleet.claim_sites(connection)
    return found, next((one for one in sites if one.id == serves.site_id), None)


def conflict(error: ActRefusedError) -> ApiError:
    """Return a refusal as an answer of the API."""
    return ApiError(409, "Not possible now", f"{error}.")


async def _managed(asking: Asking, name: str) -> FleetRow:
    async with snapshot(asking.pool) as connection:
        found = await fleet.find(connection, name, asking.now)
    if found is None:
        raise not_found("gateway", name, "gateway")
    await _need(asking, found.organisation_id, found.site_id)
    return found


async def _site(asking: Asking, site_id: int) -> ClaimSite:
    async with snapshot(asking.pool) as connection:
        sites = await fleet.claim_sites(connection)
    found = next((one for one in sites if one.id == site_id), None)
    if found is None:
        raise not_found("site_id", site_id, "site")
    return found


async def _need(asking: Asking, organisation_id: int, site_id: int | None) -> None:
    if not asking.may(organisation_id, site_id):
        await guard_of(asking.request).refuse(asking.request, viewer_of(asking.request), _NEEDED)


@asynccontextmanager
async def _whole(asking: Asking) -> AsyncIterator[Connection]:
    before = ASKER.set(None)
    try:
        async with changing(asking.pool) as connection:
            yield connection
    finally:
        ASKER.reset(before)
