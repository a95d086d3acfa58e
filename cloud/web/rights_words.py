"""Roles, permissions, acts and faults in words for the catalogues."""

from cloud.web.words import mark
from rules.permissions import Permission, Role

ROLES = {
    Role.VIEWER: mark("Viewer"),
    Role.FACILITIES: mark("Facilities"),
    Role.DISPATCHER: mark("Dispatcher"),
    Role.SAFETY: mark("Safety"),
    Role.LABORATORY: mark("Laboratory staff"),
    Role.QUALITY: mark("Quality manager"),
    Role.ADMINISTRATOR: mark("Administrator"),
    Role.CUSTOMER: mark("Customer"),
}
PERMISSIONS = {
    Permission.READINGS_READ: mark("Read readings, gaps and completeness"),
    Permission.POSITIONS_READ: mark("Read positions"),
    Permission.EVENTS_READ: mark("Read events"),
    Permission.GATEWAYS_READ: mark("Read gateways and devices"),
    Permission.GATEWAYS_MANAGE: mark("Manage gateways"),
    Permission.SETTINGS_READ: mark("Read settings"),
    Permission.SETTINGS_WRITE: mark("Change settings"),
    Permission.CALIBRATIONS_WRITE: mark("Enter calibrations"),
    Permission.MEDIA_READ: mark("See pictures and video"),
    Permission.ZONES_MANAGE: mark("Manage zones and doors"),
    Permission.PEOPLE_READ: mark("Read people and roles"),
    Permission.PEOPLE_MANAGE: mark("Manage people and roles"),
    Permission.AUTHORISATIONS_READ: mark("Read authorisations"),
    Permission.AUTHORISATIONS_MANAGE: mark("Manage authorisations"),
    Permission.ALARMS_READ: mark("See alarms"),
    Permission.ALARMS_HANDLE: mark("Acknowledge and shelve alarms"),
    Permission.ALARMS_MANAGE: mark("Say what is an alarm and who is told"),
    Permission.AUDIT_READ: mark("Read the audit log"),
    Permission.JOBS_READ: mark("Read jobs and their records"),
    Permission.JOBS_WRITE: mark("Plan, start and finish jobs"),
    Permission.JOBS_RELEASE: mark("Release held jobs"),
    Permission.CONTROL_READ: mark("Read interlocks, doors and commands"),
    Permission.CONTROL_HANDLE: mark("Handle interlocks"),
    Permission.CONTROL_BYPASS: mark("Bypass causes of interlocks"),
    Permission.CONTROL_OPERATE: mark("Set outputs, run instruments, open doors"),
    Permission.COMMANDS_APPROVE: mark("Approve commands as the second person"),
    Permission.ACCESS_READ: mark("See doors, rights and who is inside"),
    Permission.ACCESS_MANAGE: mark("Manage rights and cards"),
    Permission.VISITS_MANAGE: mark("Register visitors"),
    Permission.METRICS_READ: mark("Read figures of the hub"),
}
CARD_STATES = {
    "active": mark("valid"),
    "blocked": mark("blocked"),
    "lost": mark("reported lost"),
    "returned": mark("returned"),
    "stolen": mark("reported stolen"),
    "damaged": mark("damaged"),
    "revoked": mark("revoked"),
}
ACT_FAULTS = {
    "number": mark("The staff number is missing, too long, or somebody of this organisation has it."),
    "name": mark("The name is missing or too long."),
    "login": mark(
        "The login has 2 to 63 characters of a-z, 0-9, '.', '_', '-', '@', and nobody else has it."
    ),
    "role": mark(
        "This role cannot be granted or taken: it is there already, or it is the last administrator's."
    ),
    "site": mark("Choose where the role holds: in the whole organisation or at one site."),
    "account": mark("Nobody closes their own account."),
    "why": mark("Say why, in 1 to 500 characters."),
    "subject": mark("Say for what, in 1 to 200 characters."),
    "basis": mark("Say on what it rests, in 1 to 500 characters."),
    "kind": mark("Choose an activity or a kind of equipment."),
    "from": mark("The first day is a date such as 2026-01-31."),
    "to": mark("The last day is a date such as 2026-01-31, after the first."),
    "at": mark("A moment is a date such as 2026-01-31."),
    "authorisation": mark("This authorisation is withdrawn already."),
    "password": mark("The password that you have now is not right."),
    "new": mark("Choose another password: at least 10 characters, not the login, not one letter repeated."),
    "code": mark("The code is not right. It changes every 30 seconds and is good once."),
    "scopes": mark("Choose what the token may do."),
    "days": mark("A token is good for 1 to 366 days."),
    "card_format": mark(
        "Choose a format of cards; for raw cards write raw with the number of bits, such as raw32."
    ),
    "card_facility": mark(
        "The facility code does not fit the format:"
        " h10301 has 0 to 255, h10304 and h10306 0 to 65535, others none."
    ),
    "card_number": mark(
        "The number does not fit the format, or somebody of this organisation has this card."
    ),
    "card_pin": mark("A PIN has 4 to 12 digits."),
    "card_duress_pin": mark("A duress PIN has 4 to 12 digits, and is another one beside the PIN."),
    "card_credential": mark("Choose a card of this person."),
    "card_state": mark("Choose what became of the card."),
    "card_escorts": mark("A visitor escorts nobody."),
    "card_why": mark("Say why, in 1 to 500 characters."),
}
"""Field of an act that was not done -> what to say."""
ACT_CAUSES = {
    ("number", "missing"): mark("The staff number is missing."),
    ("number", "long"): mark("The staff number is too long: 40 characters at most."),
    ("number", "a number that nobody of this organisation has"): mark(
        "This staff number is taken: somebody of this organisation has it."
    ),
    ("number", "a number that does not begin with the word hub"): mark(
        "A staff number does not begin with the word hub: the hub itself is called so."
    ),
    ("name", "missing"): mark("The name is missing."),
    ("name", "long"): mark("The name is too long."),
    ("login", "a login that is not taken"): mark("This login is taken. Choose another one."),
    ("login", "2 to 63 of a-z, 0-9, '.', '_', '-', '@'"): mark(
        "A login has 2 to 63 characters of a-z, 0-9, '.', '_', '-', '@', and begins with a letter or a digit."
    ),
}
"""Field and cause (what was expected, or `missing` or `long`) -> what to say where the cause is known."""
