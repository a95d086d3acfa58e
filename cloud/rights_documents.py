"""The rights by which a gateway decided at some time, made again from the revisions that the store keeps."""

from datetime import datetime

import msgspec

from cloud.store import rights_issued as store
from cloud.store.connection import Connection
from rules.access.document import AccessRights, Delta, Revocation
from rules.access.intake import applied
from rules.access.snapshot import Snapshot, prepared, with_revocations
from wire.shadow import Revision

_snapshot = msgspec.json.Decoder(AccessRights)
_delta = msgspec.json.Decoder(Delta)
_revocation = msgspec.json.Decoder(Revocation)


async def document_at(
    connection: Connection, gateway_id: int, revision: Revision
) -> tuple[AccessRights, int] | None:
    """Return the newest document up to a revision and of how many deltas it is made; None: not kept."""
    rows = await store.chain(connection, gateway_id, revision)
    if not rows:
        return None
    document = _snapshot.decode(rows[0].body)
    for row in rows[1:]:
        document = applied(document, _delta.decode(row.body))
    return document, len(rows) - 1


async def snapshot_at(
    connection: Connection, gateway_id: int, revision: Revision, *, at: datetime
) -> Snapshot | None:
    """Return what a gateway decided by at a moment when it said that it was this revision; None: not kept.

    Revocations that were issued by then lie over it.
    """
    found = await document_at(connection, gateway_id, revision)
    if found is None or found[0].revision != revision:
        return None
    later = await store.revocations_after(connection, gateway_id, revision)
    bodies = [_revocation.decode(one.body) for one in later if one.issued_at <= at]
    return with_revocations(prepared(found[0]), bodies)
