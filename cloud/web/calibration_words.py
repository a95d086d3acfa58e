"""States and faults of calibrations in words for the catalogues."""

from cloud.web.words import mark

STANDINGS = {
    "overdue": ("bad", mark("Calibration overdue")),
    "due": ("late", mark("Due within 30 days")),
    "undated": ("unmonitored", mark("No due date is known")),
    "elsewhere": ("unmonitored", mark("Due date alone: no calibration is entered")),
    "in_calibration": ("good", mark("In calibration")),
    "none": ("unmonitored", mark("No calibration")),
}
"""State -> kind of the badge, word; the worst first."""
FAULTS = {
    "nodes": mark(
        "Corrections: one node on a line, the indicated value and its correction. "
        "Indicated and corrected values grow from line to line."
    ),
    "decimals": mark("Decimals of the corrected value: a whole number from 0 to 12."),
    "exponent": mark("Decimals of the corrected value: a whole number from 0 to 12."),
    "expanded_uncertainty": mark("The expanded uncertainty is a number above 0, in the unit of the point."),
    "coverage_factor": mark("The coverage factor is a number above 0, at most 10."),
    "certificate": mark("The certificate's number is missing or too long."),
    "laboratory": mark("The laboratory is missing or its name is too long."),
    "reason": mark("Say why, in 1 to 500 characters."),
    "calibrated_on": mark("The day of the calibration is a date such as 2026-01-31, and not to come."),
    "due_on": mark("The due date is a date such as 2027-01-31, after the calibration."),
    "from_at": mark("The beginning is a time such as 2026-01-31 08:00."),
    "to_at": mark("The end is a time such as 2026-01-31 08:00, after the beginning."),
    "file": mark("The certificate's file is a PDF, a PNG or a JPEG of at most 10 MB."),
    "sample": mark("The value to try is a number."),
}
"""Field of an entry that is not as expected -> what to say."""
