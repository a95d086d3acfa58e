"""Makes access out of what control has."""

from edge.access.room import Access, Around
from edge.control.room import Shared


def make_access(shared: Shared) -> Access:
    """Return the doors and equipment of a gateway; without any, rights are taken in all the same."""
    around = Around(
        locks=shared.interlocks.locks,
        releases=shared.interlocks.releases,
        held_zones=shared.interlocks.held_zones,
        jobs=shared.work.jobs,
        hearers=(shared.interlocks.changed, shared.work.changed),
        status_changed=shared.status_changed,
    )
    return Access(shared.given, around)
