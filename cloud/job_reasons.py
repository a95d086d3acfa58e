"""Why the rules refuse something about a job, in sentences for the API and the command line.

Pages have the same sentences for their catalogues; a test compares them.
"""

from collections.abc import Mapping

from rules.jobs.model import Reason, Refused

SENTENCES: Mapping[Reason, str] = {
    Reason.NO_PERSON: "Nobody is named.",
    Reason.NO_REASON: "Say why.",
    Reason.NOT_STARTED: "The job has not begun.",
    Reason.ALREADY_STARTED: "The job has begun already.",
    Reason.NOT_HELD: "The job is not held.",
    Reason.ALREADY_FINISHED: "The job is finished.",
    Reason.FAULTY: "The plan has faults.",
    Reason.NOT_PERMITTED: "You may not release held work here.",
    Reason.CAUSE_STANDS: "What holds the work has not ended.",
    Reason.UNKNOWN_CAUSE: "The hold has no such cause.",
    Reason.TOO_FEW_PRESENT: "Too few of its people are known to be in the zone.",
    Reason.NOT_AUTHORISED: "Somebody who is there is not authorised for this work now.",
    Reason.INSTRUMENT_BLOCKED: "An instrument is out of date or awaits its check.",
    Reason.ZONE_NOT_FIT: "The zone is not known to be fit for work.",
    Reason.STANDS: "The breach has not ended.",
    Reason.OVER: "The breach has ended already.",
    Reason.OUTSIDE: "The breach does not touch the time of the work.",
}


def sentence(refused: Refused) -> str:
    """Return why, with what it fails at, without a stop at its end."""
    about = f" ({', '.join(refused.about)})" if refused.about else ""
    return SENTENCES[refused.reason].removesuffix(".") + about
