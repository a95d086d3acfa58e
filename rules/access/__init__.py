"""Who may pass which door, who may use which equipment, and who is inside; pure, the same at edge and hub.

Rights come in by `intake` and are asked by `decide` and `explain`, equipment by `work`; `passages` moves the
state. What each decision means is the table in `docs/explanation/access.md`. Heng supervises and locks out
entry; it is no certified safety function, and no way out leads through it.
"""

from rules.access.decide import decide, explain
from rules.access.document import AccessRights, Delta, Revocation
from rules.access.intake import Refusal, Refused, Taken, delta_between, kept, receive, restored, take
from rules.access.reasons import Note, Reason, Step
from rules.access.request import Decision, Explanation, Factor, Finding, Request, Situation
from rules.access.roll_call import Called, roll_call
from rules.access.sentences import sentence
from rules.access.snapshot import Snapshot
from rules.access.state import EMPTY, EVERYWHERE, State
from rules.access.work import Enablement, Moment, WorkReason, enablement

__all__ = [
    "EMPTY",
    "EVERYWHERE",
    "AccessRights",
    "Called",
    "Decision",
    "Delta",
    "Enablement",
    "Explanation",
    "Factor",
    "Finding",
    "Moment",
    "Note",
    "Reason",
    "Refusal",
    "Refused",
    "Request",
    "Revocation",
    "Situation",
    "Snapshot",
    "State",
    "Step",
    "Taken",
    "WorkReason",
    "decide",
    "delta_between",
    "enablement",
    "explain",
    "kept",
    "receive",
    "restored",
    "roll_call",
    "sentence",
    "take",
]
