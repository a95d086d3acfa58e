"""What the hub says beside rights: jobs of the site, and the calibrations of this gateway's points.

The newest document is kept over restarts; an older one, or one of another gateway, is refused whole.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence

from msgspec import structs

from edge.control.given import Given, Member
from edge.control.hearers import Hearers
from edge.control.line import Came
from rules.access.request import Job
from rules.interlock.model import Calibration
from rules.work import Work, WorkError, decode_work
from wire.control import ControlStatus, DocumentNow
from wire.messages import as_text
from wire.shadow import Revision
from wire.topics import Channel

LOG = logging.getLogger(__name__)
KEY = "@control/work"
REFUSED = "work_refused"


class WorkDesk(Member):
    """The document in force."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._work: Work | None = None
        self._digest = ""
        self._refused: tuple[Revision | None, str] = (None, "")
        self.changed = Hearers()
        kept = given.recall(KEY)
        if kept is not None:
            self._restore(kept)

    @property
    def came(self) -> Mapping[Channel, Came]:
        """Take `down/work`."""
        return {Channel.DOWN_WORK: self.take}

    def jobs(self) -> Sequence[Job]:
        """Return the jobs that are planned, running or held; none while nothing came."""
        return () if self._work is None else self._work.jobs

    def calibrations(self) -> Mapping[str, Calibration]:
        """Return the certificate in force of each point that has one."""
        return {} if self._work is None else self._work.calibrations

    def take(self, body: bytes) -> None:
        """Take over a document that the hub signed, or refuse it and say why."""
        try:
            work = decode_work(body)
        except WorkError as error:
            self._refuse(None, f"malformed: {error}")
            return
        now = self._work
        if work.gateway != self._given.settings.gateway.id:
            self._refuse(work.revision, f"other_gateway: {work.gateway}")
        elif now is not None and work.revision.order < now.revision.order:
            self._refuse(work.revision, "older: a newer one is in force")
        elif now is not None and work.revision.order == now.revision.order:
            if work != now:
                self._refuse(work.revision, "contradictory: another one of this revision is in force")
        else:
            self._put(work, body)
            self._given.remember(KEY, body)
            self.changed.tell()

    def told(self, status: ControlStatus) -> ControlStatus:
        """Return the state of control with the document filled in."""
        work, (refused, refusal) = self._work, self._refused
        document = DocumentNow(refused=refused, refusal=refusal)
        if work is not None:
            document = structs.replace(
                document, revision=work.revision, digest=self._digest, issued_at_ms=work.issued_at_ms
            )
        return structs.replace(status, work=document)

    def _restore(self, body: bytes) -> None:
        try:
            work = decode_work(body)
        except WorkError as error:
            self._refuse(None, f"what was kept does not count: {error}")
            return
        if work.gateway == self._given.settings.gateway.id:
            self._put(work, body)

    def _put(self, work: Work, body: bytes) -> None:
        self._work, self._digest, self._refused = work, hashlib.sha256(body).hexdigest(), (None, "")

    def _refuse(self, revision: Revision | None, words: str) -> None:
        LOG.warning("work: refused: %s", words)
        refused = (revision, as_text(words))
        if refused != self._refused:
            self._refused = refused
            self._given.tell(REFUSED, {"reason": words}, "")
            self.changed.tell()
