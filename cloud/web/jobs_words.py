"""The words of jobs: states, acts, verdicts, why something is refused. No markup, no data."""

from collections.abc import Mapping

from cloud.web.language import Language
from cloud.web.words import mark
from rules.access.words import JobState
from rules.jobs.model import Reason, Refused, What
from rules.jobs.record import Verdict

STATES: Mapping[str, tuple[str, str]] = {
    JobState.PLANNED: ("unmonitored", mark("Planned")),
    JobState.RUNNING: ("online", mark("Running")),
    JobState.HELD: ("attention", mark("Held")),
    JobState.FINISHED: ("partly", mark("Finished")),
}
"""State of a job -> how its badge looks, and its word."""
VERDICTS: Mapping[str, tuple[str, str]] = {
    Verdict.MET: ("online", mark("Met")),
    Verdict.NOT_MET: ("attention", mark("Not met")),
    Verdict.UNDETERMINED: ("suspected", mark("Not known throughout")),
    Verdict.NOT_ASKED: ("unmonitored", mark("Not asked for")),
}
ACTS: Mapping[str, str] = {
    What.AMENDED: mark("Plan changed"),
    What.STARTED: mark("Begun"),
    What.HELD: mark("Held"),
    What.RETURNED: mark("Cause ended"),
    What.RELEASED: mark("Released"),
    What.FINISHED: mark("Finished"),
    What.MARKED: mark("Readings marked"),
}
REFUSALS: Mapping[str, str] = {
    Reason.NO_PERSON: mark("Nobody is named."),
    Reason.NO_REASON: mark("Say why."),
    Reason.NOT_STARTED: mark("The job has not begun."),
    Reason.ALREADY_STARTED: mark("The job has begun already."),
    Reason.NOT_HELD: mark("The job is not held."),
    Reason.ALREADY_FINISHED: mark("The job is finished."),
    Reason.FAULTY: mark("The plan has faults."),
    Reason.NOT_PERMITTED: mark("You may not release held work here."),
    Reason.CAUSE_STANDS: mark("What holds the work has not ended."),
    Reason.UNKNOWN_CAUSE: mark("The hold has no such cause."),
    Reason.TOO_FEW_PRESENT: mark("Too few of its people are known to be in the zone."),
    Reason.NOT_AUTHORISED: mark("Somebody who is there is not authorised for this work now."),
    Reason.INSTRUMENT_BLOCKED: mark("An instrument is out of date or awaits its check."),
    Reason.ZONE_NOT_FIT: mark("The zone is not known to be fit for work."),
    Reason.STANDS: mark("The breach has not ended."),
    Reason.OVER: mark("The breach has ended already."),
    Reason.OUTSIDE: mark("The breach does not touch the time of the work."),
}
FAULTS: Mapping[str, str] = {
    "number": mark("The number has 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-', and no other job has it."),
    "method": mark("Choose a method and its version."),
    "zone": mark("Choose a zone of the site."),
    "people": mark("Name people of the organisation by their numbers, as many as the method asks for."),
    "instruments": mark("Names of instruments have 1 to 64 of A-Z, a-z, 0-9, '.', '_', '-'."),
    "present": mark("Name people by their numbers."),
    "from_at": mark("The beginning is a date and time such as 2026-01-31T08:00."),
    "to_at": mark("The end is a date and time such as 2026-01-31T17:00, after the beginning."),
    "reason": mark("Say why, in 1 to 500 characters."),
    "limits": mark("A limit is a quantity, a low and a high: temperature 18 22; - for no bound."),
    "people_min": mark("How many people the work needs is 1 to 100."),
    "activities": mark("An activity has 1 to 200 characters."),
}
"""Field of an act that was not done -> what to say."""

NO_READING = mark("no reading came within a day; one of the last %(most)s is needed")
TOO_OLD = mark(
    "the newest reading is %(age)s old, at most %(most)s counts: wait, or see to the gateway's line"
)
ABSENT_NOW = mark("no good reading since %(age)s: see to the sensor")


def say_refused(refused: Refused, language: Language) -> str:
    """Return why the rules refused, with what it fails at."""
    words = language.say(REFUSALS[refused.reason])
    return f"{words} ({', '.join(refused.about)})" if refused.about else words
