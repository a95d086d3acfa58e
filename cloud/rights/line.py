"""What the room knows of the rights of one gateway, and what to send it next; it sends nothing itself."""

from collections import deque
from dataclasses import dataclass

import msgspec

from cloud.rights.issue import Held
from cloud.store.rights_issued import Served
from rules.access.document import AccessRights, Revocation
from rules.access.intake import delta_between
from wire.control import DocumentNow
from wire.messages import Message
from wire.shadow import Revision

LARGE_BYTES = 64 * 1024
"""Smaller snapshots are sent whole: they cost less than thinking about it."""
ACKNOWLEDGED_S = 5.0
"""So long a gateway that is there may take to take a revision over; then the broker keeps it for it."""
KEPT_S = 3600.0
"""After changes the broker gets the whole rights so often, for a gateway that comes back with none."""
AGAIN_S = 60.0
"""A gateway that speaks and does not take the newest rights over is sent them again."""
HEARD_S = 30.0
_BASES_MAX = 4
_encoder = msgspec.json.Encoder()

Order = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sending:
    """One message for a gateway."""

    message: Message
    retained: bool


class Line:
    """One gateway. Times are seconds of a clock that never jumps."""

    def __init__(self, gateway: Served) -> None:
        self.gateway = gateway
        self.held: Held | None = None
        self.loaded = False
        self.dirty = True
        """Whether its rights have to be compiled."""
        self.looked_s = float("-inf")
        self.again_s = float("inf")
        """So long after that they are compiled although nothing woke anybody."""
        self.acknowledged: Revision | None = None
        self.said: DocumentNow | None = None
        self.heard_s = float("-inf")
        self.stored_s = float("-inf")
        self._recent: deque[AccessRights] = deque(maxlen=_BASES_MAX)
        """Documents just before the newest one, in order."""
        self._base: tuple[Order, AccessRights] | None = None
        """What the gateway decides by when it acknowledges this."""
        self._sent: Order | None = None
        self._sent_s = float("-inf")
        self._kept: Order | None = None
        self._kept_s = float("-inf")
        self._size: tuple[Order, int] | None = None
        self._revoked: Order | None = None
        self._revoked_s = float("-inf")

    def reconnected(self) -> None:
        """Take nothing for sent, and nothing for kept by the broker."""
        self._sent = self._kept = self._revoked = None
        self._kept_s = float("-inf")

    def hold(self, held: Held | None) -> None:
        """Take over the newest rights; the ones before stay for a while as what a delta starts from."""
        if self.held is not None and (held is None or held.revision != self.held.revision):
            self._recent.append(self.held.document)
        self.held = held

    def hear(self, said: DocumentNow, now_s: float) -> bool:
        """Take in what the gateway says; return whether that is news, or was not stored for long."""
        news = said != self.said
        self.said, self.heard_s = said, now_s
        self.acknowledged = said.revision
        due = news or now_s - self.stored_s >= HEARD_S
        self.stored_s = now_s if due else self.stored_s
        return due

    @property
    def beyond(self) -> Revision | None:
        """Return what the gateway honours when this hub does not know it: the hub was restored."""
        revision, held = self.acknowledged, self.held
        if revision is None or self.said is None or revision.order == (0, 0):
            return None
        if held is None or revision.order > (held.revision.incarnation, held.number):
            return revision
        told = self.said.digest
        other = revision == held.revision and len(told) == 64 and told != held.digest.hex()
        return revision if other else None

    @property
    def up_to_date(self) -> bool:
        """Whether the gateway says that it decides by the newest rights."""
        return (
            self.held is not None
            and self.acknowledged is not None
            and self.acknowledged.order >= self.held.revision.order
        )

    def wants_base(self) -> Revision | None:
        """Return the revision that a delta would start from, where the document is not at hand."""
        held, revision = self.held, self.acknowledged
        if held is None or revision is None or self.up_to_date or self._sent == held.revision.order:
            return None
        missing = self._based() is None and self.size() > LARGE_BYTES
        return revision if missing and revision.incarnation == held.revision.incarnation else None

    def base(self, acknowledged: Revision, document: AccessRights) -> None:
        """Take over what a gateway decides by that acknowledges a revision."""
        self._base = acknowledged.order, document

    def _based(self) -> AccessRights | None:
        """Return the document in force there: the newest one up to what is acknowledged."""
        revision = self.acknowledged
        if revision is None:
            return None
        if self._base is not None and self._base[0] == revision.order:
            return self._base[1]
        if not self._recent or revision.order < self._recent[0].revision.order:
            return None
        return [one for one in self._recent if one.revision.order <= revision.order][-1]

    def next(self, now_s: float) -> Sending | None:
        """Return what is to be sent now."""
        if self.held is None:
            return None
        newest = self.held.revision.order
        if self._sent != newest and not self.up_to_date:
            return self._changed()
        kept = self._kept == newest
        waited = now_s - self._sent_s
        if not self.up_to_date:
            speaks = now_s - self.heard_s < HEARD_S
            if (not kept and waited >= ACKNOWLEDGED_S) or (speaks and waited >= AGAIN_S):
                return Sending(self.held.document, retained=True)
        if not kept and now_s - self._kept_s >= KEPT_S:
            return Sending(self.held.document, retained=True)
        return None

    def revoking(self, now_s: float) -> Revocation | None:
        """Return the revocation to send now: a new one, or one that a gateway which speaks does not know.

        Again it goes to a gateway that has the document alone: acknowledged, it would pass for the document.
        """
        revocation = None if self.held is None else self.held.revocation
        if revocation is None or (self.acknowledged or Revision()).order >= revocation.revision.order:
            return None
        if self._revoked != revocation.revision.order:
            return revocation
        again = self.up_to_date and now_s - self.heard_s < HEARD_S
        return revocation if again and now_s - self._revoked_s >= ACKNOWLEDGED_S else None

    def revoked(self, revocation: Revocation, now_s: float) -> None:
        """Take over that a revocation was sent."""
        self._revoked, self._revoked_s = revocation.revision.order, now_s

    def sent(self, sending: Sending, now_s: float) -> None:
        """Take over that something was sent."""
        assert self.held is not None
        self._sent, self._sent_s = self.held.revision.order, now_s
        if sending.retained:
            self._kept, self._kept_s = self._sent, now_s

    def size(self) -> int:
        """Return how many bytes the newest snapshot has."""
        assert self.held is not None
        order = self.held.revision.order
        if self._size is None or self._size[0] != order:
            self._size = order, len(_encoder.encode(self.held.document))
        return self._size[1]

    def _changed(self) -> Sending:
        assert self.held is not None
        whole = Sending(self.held.document, retained=True)
        base = self._based()
        if base is None or self.size() <= LARGE_BYTES:
            return whole
        delta = delta_between(base, self.held.document)
        if delta is None or len(_encoder.encode(delta)) > self.size() // 2:
            return whole
        return Sending(delta, retained=False)
