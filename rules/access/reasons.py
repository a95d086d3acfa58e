"""Why a decision came out as it did: the steps in their order, and one reason code for each way one can fail.

The vocabulary is that of BACnet's AccessEvent (ISO 16484-5, BACnetAccessEvent); `docs/explanation/access.md`
is the table of both that is signed, and the tests hold the two together.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Step(StrEnum):
    """The steps of a decision, in their order; the first that fails gives the reason."""

    PORTAL = "portal"
    LOCK_DOWN = "lock_down"
    INTERLOCK = "interlock"
    RIGHTS = "rights"
    CREDENTIAL = "credential"
    FACTORS = "factors"
    DENY = "deny"
    RIGHT = "right"
    AUTHORISATION = "authorisation"
    PASSBACK = "passback"
    OCCUPANCY = "occupancy"
    COMPANY = "company"
    MANTRAP = "mantrap"
    GRANT = "grant"


class Reason(StrEnum):
    """The one code that says why, in the order in which they are looked for."""

    RIGHTS_MISSING = "rights_missing"
    PORTAL_UNKNOWN = "portal_unknown"
    EXIT = "exit"
    OUT_OF_SERVICE = "out_of_service"
    LOCK_DOWN = "lock_down"
    INTERLOCK = "interlock"
    TIME_UNKNOWN = "time_unknown"
    RIGHTS_OLD = "rights_old"
    KEY_OTHER = "key_other"
    FACTOR_NOT_ACCEPTED = "factor_not_accepted"
    CREDENTIAL_UNKNOWN = "credential_unknown"
    CREDENTIAL_REVOKED = "credential_revoked"
    CREDENTIAL_BLOCKED = "credential_blocked"
    CREDENTIAL_LOST = "credential_lost"
    CREDENTIAL_STOLEN = "credential_stolen"
    CREDENTIAL_DAMAGED = "credential_damaged"
    CREDENTIAL_RETURNED = "credential_returned"
    CREDENTIAL_NOT_YET = "credential_not_yet"
    CREDENTIAL_EXPIRED = "credential_expired"
    CREDENTIAL_UNASSIGNED = "credential_unassigned"
    PERSON_REVOKED = "person_revoked"
    PERSON_SUSPENDED = "person_suspended"
    PERSON_LEFT = "person_left"
    PERSON_NOT_YET = "person_not_yet"
    PERSON_EXPIRED = "person_expired"
    ATTEMPTS = "attempts"
    FACTOR_NOT_SET = "factor_not_set"
    FACTOR_TIMEOUT = "factor_timeout"
    FACTOR_AWAITED = "factor_awaited"
    FACTOR_WRONG = "factor_wrong"
    DENIED = "denied"
    NOT_APPROVED = "not_approved"
    OUT_OF_SCHEDULE = "out_of_schedule"
    RIGHT_NOT_YET = "right_not_yet"
    RIGHT_EXPIRED = "right_expired"
    NO_RIGHT = "no_right"
    VISIT_WITHOUT_HOST = "visit_without_host"
    VISIT_NOT_YET = "visit_not_yet"
    VISIT_OVER = "visit_over"
    VISIT_ELSEWHERE = "visit_elsewhere"
    NO_VISIT = "no_visit"
    AUTHORISATION_NOT_YET = "authorisation_not_yet"
    AUTHORISATION_EXPIRED = "authorisation_expired"
    NOT_AUTHORISED = "not_authorised"
    NO_JOB = "no_job"
    NOT_ON_JOB = "not_on_job"
    PASSBACK = "passback"
    UNEXPECTED_LOCATION = "unexpected_location"
    OCCUPANCY = "occupancy"
    SECOND_PERSON_AWAITED = "second_person_awaited"
    SECOND_PERSON_SAME = "second_person_same"
    ESCORT_AWAITED = "escort_awaited"
    ESCORT_WRONG = "escort_wrong"
    MANTRAP_OPEN = "mantrap_open"
    MANTRAP_UNKNOWN = "mantrap_unknown"
    GRANTED = "granted"
    GRANTED_RESPONDER = "granted_responder"


class Note(StrEnum):
    """What a decision says besides its reason."""

    PASSBACK = "passback"
    """Soft anti-passback: was inside already."""
    UNEXPECTED_LOCATION = "unexpected_location"
    """Soft anti-passback, or on the way out: was not where the portal leads from."""
    RIGHTS_OLD = "rights_old"
    """Granted by rights past their age limit, as the portal allows."""
    TIME_UNKNOWN = "time_unknown"
    """Granted while nobody knew what time it was, as the portal allows."""
    RESPONDER = "responder"
    """Admitted to a locked entry."""
    TOGETHER = "together"
    """Admits who waited, too."""
    NOBODY_KNOWN = "nobody_known"
    """Somebody left whom nobody knows."""


_R, _S = Reason, Step

STEP_OF: Mapping[Reason, Step] = MappingProxyType(
    {
        **dict.fromkeys((_R.RIGHTS_MISSING, _R.PORTAL_UNKNOWN, _R.EXIT, _R.OUT_OF_SERVICE), _S.PORTAL),
        _R.LOCK_DOWN: _S.LOCK_DOWN,
        _R.INTERLOCK: _S.INTERLOCK,
        **dict.fromkeys((_R.TIME_UNKNOWN, _R.RIGHTS_OLD), _S.RIGHTS),
        **dict.fromkeys(
            (
                *(_R.KEY_OTHER, _R.FACTOR_NOT_ACCEPTED, _R.CREDENTIAL_UNKNOWN, _R.CREDENTIAL_REVOKED),
                *(_R.CREDENTIAL_BLOCKED, _R.CREDENTIAL_LOST, _R.CREDENTIAL_STOLEN, _R.CREDENTIAL_DAMAGED),
                *(_R.CREDENTIAL_RETURNED, _R.CREDENTIAL_UNASSIGNED, _R.CREDENTIAL_NOT_YET),
                *(_R.CREDENTIAL_EXPIRED, _R.PERSON_REVOKED, _R.PERSON_SUSPENDED, _R.PERSON_LEFT),
                *(_R.PERSON_NOT_YET, _R.PERSON_EXPIRED),
            ),
            _S.CREDENTIAL,
        ),
        **dict.fromkeys(
            (_R.ATTEMPTS, _R.FACTOR_NOT_SET, _R.FACTOR_WRONG, _R.FACTOR_TIMEOUT, _R.FACTOR_AWAITED),
            _S.FACTORS,
        ),
        _R.DENIED: _S.DENY,
        **dict.fromkeys(
            (
                *(_R.NOT_APPROVED, _R.OUT_OF_SCHEDULE, _R.RIGHT_NOT_YET, _R.RIGHT_EXPIRED, _R.NO_RIGHT),
                *(_R.VISIT_WITHOUT_HOST, _R.VISIT_NOT_YET, _R.VISIT_OVER, _R.VISIT_ELSEWHERE, _R.NO_VISIT),
            ),
            _S.RIGHT,
        ),
        **dict.fromkeys(
            (
                *(_R.NO_JOB, _R.NOT_ON_JOB, _R.AUTHORISATION_NOT_YET, _R.AUTHORISATION_EXPIRED),
                _R.NOT_AUTHORISED,
            ),
            _S.AUTHORISATION,
        ),
        **dict.fromkeys((_R.PASSBACK, _R.UNEXPECTED_LOCATION), _S.PASSBACK),
        _R.OCCUPANCY: _S.OCCUPANCY,
        **dict.fromkeys(
            (_R.SECOND_PERSON_AWAITED, _R.SECOND_PERSON_SAME, _R.ESCORT_AWAITED, _R.ESCORT_WRONG),
            _S.COMPANY,
        ),
        **dict.fromkeys((_R.MANTRAP_OPEN, _R.MANTRAP_UNKNOWN), _S.MANTRAP),
        **dict.fromkeys((_R.GRANTED, _R.GRANTED_RESPONDER), _S.GRANT),
    }
)
"""The step that gives each reason."""

GRANTS = frozenset({Reason.EXIT, Reason.GRANTED, Reason.GRANTED_RESPONDER})
"""With these the portal opens; with every other it stays shut."""
