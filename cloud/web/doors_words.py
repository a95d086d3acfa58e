"""Doors, rights and visits in words for the catalogues: states, steps, outcomes, kinds. No markup."""

from cloud.web.words import mark
from rules.access.reasons import Step
from rules.access.words import DayKind, DayName, Effect, Escort, Outcome

CONTACTS = {
    "closed": ("good", mark("shut")),
    "open": ("warn", mark("open")),
    "unknown": ("none", mark("not known")),
}
LOCKS = {
    "locked": ("good", mark("locked")),
    "unlocked": ("warn", mark("unlocked")),
    "unknown": ("none", mark("not known")),
}
HAPPENED = {
    "access_passed": mark("Went through"),
    "access_no_entry": mark("Was let in and did not go through"),
    "access_too_few": mark("Fewer people are inside than there have to be."),
    "access_visitor_alone": mark("A visitor is inside without an escort."),
    "access_unauthorised_entry": mark("Somebody went in whom no head of the laboratory had authorised."),
    "door_forced": mark("The door was opened without leave."),
    "door_held": mark("The door stands open for too long."),
    "door_shut": mark("The door is shut again."),
    "access_not_opened": mark("Entry was granted, and the door was not opened."),
    "access_late": mark("Shown while the gateway stood still: nothing was opened."),
    "access_placed": mark("Somebody entered by hand where this person is."),
    "exit_opened": mark("Opened by the exit button."),
    "door_opened_by_command": mark("Opened by a command."),
}
QUIET = frozenset(
    {
        "access_passed",
        "access_no_entry",
        "door_shut",
        "access_placed",
        "exit_opened",
        "door_opened_by_command",
    }
)
"""Of these nobody has to think that something is wrong."""
LOCK_DOWN = {True: mark("Entry was locked down."), False: mark("The lock-down was ended.")}
STEPS = {
    Step.PORTAL: mark("The door"),
    Step.LOCK_DOWN: mark("Lock-down"),
    Step.INTERLOCK: mark("Interlock"),
    Step.RIGHTS: mark("Age of the rights, and the time"),
    Step.CREDENTIAL: mark("Card and person"),
    Step.FACTORS: mark("Further proofs"),
    Step.DENY: mark("Express denial"),
    Step.RIGHT: mark("Right or visit"),
    Step.AUTHORISATION: mark("Authorisation for the work"),
    Step.PASSBACK: mark("Anti-passback"),
    Step.OCCUPANCY: mark("How many are inside"),
    Step.COMPANY: mark("Second person or escort"),
    Step.MANTRAP: mark("The other doors of the mantrap"),
    Step.GRANT: mark("The door opens"),
}
OUTCOMES = {
    Outcome.PASSED: ("good", mark("passed")),
    Outcome.FAILED: ("bad", mark("not passed")),
    Outcome.WAIVED: ("good", mark("waived for a responder")),
    Outcome.NOT_NEEDED: ("none", mark("not asked for here")),
    Outcome.NOT_JUDGED: ("none", mark("not judged")),
}
EFFECTS = {
    Effect.ALLOW: mark("may come in"),
    Effect.DENY: mark("may never come in"),
    Effect.RESPOND: mark("responds where entry is locked"),
}
ESCORTS = {
    Escort.HOST: mark("with the host"),
    Escort.ANY: mark("with anybody who may escort"),
    Escort.NONE: mark("alone"),
}
DAYS = {
    DayName.MON: mark("Monday"),
    DayName.TUE: mark("Tuesday"),
    DayName.WED: mark("Wednesday"),
    DayName.THU: mark("Thursday"),
    DayName.FRI: mark("Friday"),
    DayName.SAT: mark("Saturday"),
    DayName.SUN: mark("Sunday"),
    DayName.HOLIDAY: mark("Holiday"),
}
DAY_KINDS = {DayKind.HOLIDAY: mark("holiday"), DayKind.WORKDAY: mark("make-up workday")}
FAULT = mark("This was not saved. %(field)s: “%(value)s”; expected: %(expected)s")
"""What is said of an act that was not done; the rest is as the rules write it."""
