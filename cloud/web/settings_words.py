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

GROUPS = {
    "device": mark("Devices"),
    "interlock": mark("Interlocks"),
    "portal": mark("Doors"),
    "equipment": mark("Equipment that is released"),
    "regulation": mark("Regulations"),
    "panel": mark("Panel beside the door"),
    "": mark("Sections"),
}
"""List, or `panel`, or other sections -> what its parts are called together, in the order of the page."""
NEW = {
    "interlock": mark("New interlock"),
    "portal": mark("New door"),
    "equipment": mark("New equipment"),
    "regulation": mark("New regulation"),
}
"""List -> what adds an entry to it; devices are added by their driver."""
