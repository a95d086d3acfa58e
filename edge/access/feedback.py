"""What a reader shows and sounds for a decision; nothing of duress. Pure.

A reader's display has room for two short lines of ASCII; the whole sentence is `rules.access.sentence`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from edge.control.offers import DENIED, GRANTED, TEXT_MAX, Feedback
from rules.access.reasons import Reason
from rules.access.request import Decision
from rules.access.words import FactorKind

_R = Reason
SHORT: Mapping[Reason, str] = MappingProxyType(
    {
        _R.RIGHTS_MISSING: "No access rights received yet",
        _R.PORTAL_UNKNOWN: "Door not in the access rights",
        _R.EXIT: "Way out is free",
        _R.OUT_OF_SERVICE: "Door is out of service",
        _R.LOCK_DOWN: "Entry is locked down",
        _R.INTERLOCK: "Locked: interlock tripped",
        _R.TIME_UNKNOWN: "Time is not known here",
        _R.RIGHTS_OLD: "Access rights are too old",
        _R.KEY_OTHER: "Reader has another key",
        _R.FACTOR_NOT_ACCEPTED: "Not accepted here",
        _R.CREDENTIAL_UNKNOWN: "Not known",
        _R.CREDENTIAL_REVOKED: "Card was revoked",
        _R.CREDENTIAL_BLOCKED: "Card is blocked",
        _R.CREDENTIAL_LOST: "Card was reported lost",
        _R.CREDENTIAL_STOLEN: "Card was reported stolen",
        _R.CREDENTIAL_DAMAGED: "Card was reported damaged",
        _R.CREDENTIAL_RETURNED: "Card was handed back",
        _R.CREDENTIAL_NOT_YET: "Card is not valid yet",
        _R.CREDENTIAL_EXPIRED: "Card has expired",
        _R.CREDENTIAL_UNASSIGNED: "Card belongs to nobody",
        _R.PERSON_REVOKED: "Access was revoked",
        _R.PERSON_SUSPENDED: "Access is suspended",
        _R.PERSON_LEFT: "No longer a member here",
        _R.PERSON_NOT_YET: "Access has not begun yet",
        _R.PERSON_EXPIRED: "Access has ended",
        _R.ATTEMPTS: "Too many attempts: wait",
        _R.FACTOR_NOT_SET: "PIN needed, none is set",
        _R.FACTOR_TIMEOUT: "Too late: begin again",
        _R.FACTOR_AWAITED: "Please give the second proof",
        _R.FACTOR_WRONG: "Second proof is wrong",
        _R.DENIED: "Entry is denied",
        _R.NOT_APPROVED: "Not authorised by the head",
        _R.OUT_OF_SCHEDULE: "No entry at this time",
        _R.RIGHT_NOT_YET: "Right has not begun yet",
        _R.RIGHT_EXPIRED: "Right has ended",
        _R.NO_RIGHT: "No right to enter here",
        _R.VISIT_WITHOUT_HOST: "Host is not available",
        _R.VISIT_NOT_YET: "Visit has not begun",
        _R.VISIT_OVER: "Visit is over",
        _R.VISIT_ELSEWHERE: "Visit is elsewhere",
        _R.NO_VISIT: "No visit is registered",
        _R.AUTHORISATION_NOT_YET: "Authorisation not yet valid",
        _R.AUTHORISATION_EXPIRED: "Authorisation has expired",
        _R.NOT_AUTHORISED: "Not authorised for the work",
        _R.NO_JOB: "No job is on here",
        _R.NOT_ON_JOB: "Not on the job here",
        _R.PASSBACK: "Inside already",
        _R.UNEXPECTED_LOCATION: "Not seen to come here",
        _R.OCCUPANCY: "Room is full",
        _R.SECOND_PERSON_AWAITED: "Second person needed: wait",
        _R.SECOND_PERSON_SAME: "Another person is needed",
        _R.ESCORT_AWAITED: "Please wait for the escort",
        _R.ESCORT_WRONG: "May not escort this visitor",
        _R.MANTRAP_OPEN: "Shut the other door first",
        _R.MANTRAP_UNKNOWN: "State of other door unknown",
        _R.GRANTED: "Please come in",
        _R.GRANTED_RESPONDER: "Responder: please come in",
    }
)
AWAITED_S = 5.0
AGAIN = Feedback(colour="amber", blink=True, beeps=2, text="Please show it again")
"""For what was shown while the gateway stood still."""
STUCK = Feedback(colour="red", blink=True, beeps=3, text="Door cannot be opened now")
"""For a grant that the lock or the disk did not follow."""


def feedback(decision: Decision) -> Feedback:
    """Return what the reader shows and sounds."""
    text = SHORT[decision.reason]
    if decision.granted:
        return Feedback(colour=GRANTED.colour, beeps=GRANTED.beeps, text=text)
    if decision.reason is Reason.INTERLOCK and _fits(decision.detail):
        text = decision.detail
    if decision.reason is Reason.FACTOR_AWAITED:
        if decision.awaits is FactorKind.PIN:
            text = "Please enter the PIN, then #"
        return Feedback(colour="amber", blink=True, seconds=AWAITED_S, beeps=1, text=text)
    if decision.reason in (Reason.SECOND_PERSON_AWAITED, Reason.ESCORT_AWAITED):
        return Feedback(colour="amber", blink=True, seconds=AWAITED_S, beeps=2, text=text)
    return Feedback(colour=DENIED.colour, blink=DENIED.blink, beeps=DENIED.beeps, text=text)


def _fits(text: str) -> bool:
    return 0 < len(text) <= TEXT_MAX and all(" " <= letter <= "~" for letter in text)
