"""What the media listener turned away, counted: a gateway that goes on does not fill the audit log."""

from collections import Counter
from datetime import datetime

from cloud.store import audit_log
from cloud.store.audit_log import Entry
from cloud.store.snapshot import Pool, changing

TOLD = frozenset({400, 403, 411, 413, 422})
"""Statuses of requests that nothing honest sends; 410 and 507 are no one's fault."""
_MAX = 200
"""Pairs of gateway and reason that are told apart between two rows."""


class Refusals:
    """What was turned away since it was last written down."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str]] = Counter()

    def note(self, gateway: str, status: int, reason: str) -> None:
        """Count a refusal; `gateway` is whom the client certificate names."""
        if status not in TOLD:
            return
        one = gateway, (reason if status == 403 else f"a request that is none ({status})")
        if len(self._counted) < _MAX or one in self._counted:
            self._counted[one] += 1

    async def write_down(self, pool: Pool, *, now: datetime) -> None:
        """Write what was counted into the audit log; raises psycopg's errors, and it is lost then."""
        counted, self._counted = self._counted, Counter()
        entries = [
            Entry(
                actor_kind="gateway",
                actor=gateway,
                action="media.request",
                object="media listener",
                outcome="refused",
                new={"times": times},
                why=reason,
            )
            for (gateway, reason), times in counted.most_common()
        ]
        if entries:
            async with changing(pool) as connection:
                await audit_log.append(connection, entries, at=now)
