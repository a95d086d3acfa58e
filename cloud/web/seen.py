"""Which sites somebody may see by a permission, for pages that show by more than one."""

from cloud.identity.viewer import Viewer
from cloud.store.sites import site_ids
from cloud.store.snapshot import ASKER, Pool, Seen, snapshot
from cloud.web.needs import NEEDED, Sight
from rules.permissions import Permission


async def sites_seen(pool: Pool, viewer: Viewer, permission: Permission) -> frozenset[int] | None:
    """Return the ids of the sites where a permission holds; None: all sites of the hub."""
    seen = viewer.seen(permission)
    if seen is None:
        return None
    before = ASKER.set(seen)
    try:
        async with snapshot(pool) as connection:
            return await site_ids(connection)
    finally:
        ASKER.reset(before)


async def sight_of(pool: Pool, viewer: Viewer) -> Sight:
    """Return at which sites somebody may be told by which permission what needs a person."""
    known: dict[Seen | None, frozenset[int] | None] = {None: None}
    sites = {}
    for permission in sorted(NEEDED):
        seen = viewer.seen(permission)
        if seen not in known:
            known[seen] = await sites_seen(pool, viewer, permission)
        sites[permission] = known[seen]
    return Sight(sites, viewer.login)
