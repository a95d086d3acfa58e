"""Words of the page of a gateway's settings."""

from cloud.web.words import mark

STATES = {
    "file": ("none", mark("Its own file runs")),
    "trying": ("late", mark("On trial")),
    "applied": ("good", mark("Applied")),
    "refused": ("bad", mark("Refused")),
    "rolled_back": ("bad", mark("Rolled back")),
    "aside": ("bad", mark("Set aside")),
    "sent": ("late", mark("On its way")),
    "unheard": ("none", mark("Not heard yet")),
}
"""What became of the newest revision -> kind of state, and word."""
