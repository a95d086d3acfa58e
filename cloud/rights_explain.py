"""Why somebody was let in or refused: the decision of the gateway, replayed step by step by the same code.

What a gateway knew at that moment of who was inside, of interlocks and of other doors is not sent along. So
what it said counts: every step before the one that decided had passed, and that one failed. Steps behind it
that need none of this are replayed; of the others it is said that they were not judged.
"""

from dataclasses import dataclass

import msgspec

from cloud.rights_documents import snapshot_at
from cloud.store.connection import Connection
from cloud.store.decisions import DoorEvent
from rules.access.decide import explain
from rules.access.document import Credential
from rules.access.reasons import STEP_OF, Reason, Step
from rules.access.request import Finding, Request
from rules.access.snapshot import Snapshot
from rules.access.state import EMPTY
from rules.access.words import FactorKind, Outcome
from wire.shadow import COUNTER_MAX, Revision

REPLAYED = frozenset({Step.PORTAL, Step.RIGHTS, Step.CREDENTIAL, Step.DENY, Step.RIGHT, Step.AUTHORISATION})
"""Steps that ask for nothing but the rights and the time."""
DECISIONS = frozenset({"access_granted", "access_refused"})


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with its steps."""

    reason: Reason | None
    """As the gateway said; None: of a version with other words."""
    step: Step | None
    revision: str
    """Of the rights that decided; empty: none."""
    kept: bool
    """Whether those rights are still kept here, so that steps could be replayed."""
    alike: bool
    """Whether the replay came to the same step, or to one that only the gateway could judge."""
    findings: tuple[Finding, ...]


async def explained(connection: Connection, event: DoorEvent) -> Explained | None:
    """Return why a decision came out as it did; None for an event that is no decision."""
    if event.kind not in DECISIONS:
        return None
    said = str(event.data.get("revision", ""))
    revision = revision_of(said)
    snapshot = None
    if revision is not None:
        snapshot = await snapshot_at(connection, event.gateway_id, revision, at=event.observed_at)
    return explanation_of(event, snapshot, said)


def explanation_of(event: DoorEvent, snapshot: Snapshot | None, revision: str) -> Explained:
    """Return the same for an event and the rights that decided (None: not kept)."""
    data = event.data
    reason = next((one for one in Reason if one == data.get("reason")), None)
    step = STEP_OF[reason] if reason is not None else None
    replay = {} if snapshot is None else _replayed(event, snapshot)
    findings = tuple(_finding(one, step, reason, replay=replay.get(one), data=data) for one in Step)
    own = next((one.step for one in replay.values() if one.outcome is Outcome.FAILED), Step.GRANT)
    alike = snapshot is not None and (own == step or (step is not None and step not in REPLAYED))
    return Explained(reason, step, revision, snapshot is not None, alike, findings)


def _finding(
    step: Step,
    decided: Step | None,
    reason: Reason | None,
    *,
    replay: Finding | None,
    data: dict[str, object],
) -> Finding:
    order = list(Step)
    if decided is None:
        return replay or Finding(step=step, outcome=Outcome.NOT_JUDGED)
    if step is decided:
        outcome = Outcome.PASSED if decided in (Step.GRANT,) or reason is Reason.EXIT else Outcome.FAILED
        rule, detail = str(data.get("rule", "")), str(data.get("detail", ""))
        return Finding(step=step, outcome=outcome, reason=reason, rule=rule, detail=detail)
    if reason is Reason.EXIT:
        return Finding(step=step, outcome=Outcome.NOT_NEEDED)
    if order.index(step) < order.index(decided):
        good = replay is not None and replay.outcome is not Outcome.FAILED and step in REPLAYED
        return replay if good and replay is not None else Finding(step=step, outcome=Outcome.PASSED)
    if replay is not None and step in REPLAYED:
        return replay
    return Finding(step=step, outcome=Outcome.NOT_JUDGED)


def _replayed(event: DoorEvent, snapshot: Snapshot) -> dict[Step, Finding]:
    token = str(event.data.get("token", ""))
    found: Credential | None = snapshot.credential(token)
    kind = FactorKind.CARD if found is None else found.kind
    at_ms = round(event.observed_at.timestamp() * 1000)
    try:
        request = msgspec.convert(
            {
                "side": event.subject,
                "factors": [[kind.value, token or "0" * 32, snapshot.document.key_id]],
                "at_ms": at_ms,
                "steady_ms": at_ms,
            },
            Request,
        )
    except msgspec.ValidationError:
        return {}
    return {one.step: one for one in explain(request, snapshot, EMPTY).findings}


def revision_of(text: str) -> Revision | None:
    """Return the revision that a gateway wrote as `incarnation.number`; None for anything else."""
    first, dot, last = text.partition(".")
    if not dot or not (first + last).isascii() or not first.isdigit() or not last.isdigit():
        return None
    if len(first) > 10 or len(last) > 10 or max(int(first), int(last)) > COUNTER_MAX:
        return None
    return Revision(int(first), int(last))
