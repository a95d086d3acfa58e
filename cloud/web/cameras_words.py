"""The words of the pages about cameras: states, stretches, pictures, wishes, live views. No data."""

from cloud.web.device_words import STATES as DEVICE_STATES
from cloud.web.language import Language
from cloud.web.reasons import Said, say_reason
from cloud.web.words import EVENTS, mark

STATES = {
    "recording": ("good", mark("Recording now")),
    "frozen": ("late", mark("Picture frozen")),
    "silent": DEVICE_STATES["silent"],
    "never": DEVICE_STATES["never"],
}
"""State of a camera -> shape and colour, word."""
SPANS = {
    "recorded": mark("Recorded"),
    "gap": mark("Not recorded"),
    "awaited": mark("Next heartbeat awaited"),
    "unknown": mark("Not known"),
}
"""State of a stretch -> word; the drawing has a pattern for each."""
PICTURES = {
    "stored": ("good", mark("Stored, hash in evidence")),
    "awaited": ("late", mark("In evidence, not here yet")),
    "dropped": ("bad", mark("In evidence, dropped at the gateway: no room")),
    "without_event": ("late", mark("Here, not in evidence")),
    "deleted": ("unmonitored", mark("Deleted here, in evidence")),
    "missing": ("bad", mark("None could be taken")),
}
"""State of a picture -> shape and colour, word."""
DELETED_ALONE = mark("Deleted here, not in evidence")
MOMENTS = {"before": mark("before"), "after": mark("after"), "timer": mark("by the timer")}
WISHES = {
    "waiting": ("late", mark("Asked for")),
    "done": ("good", mark("Here")),
    "none": ("unmonitored", mark("Nothing there")),
    "failed": ("bad", mark("Failed")),
    "expired": ("bad", mark("No answer")),
}
"""State of a stretch that was asked for -> shape and colour, word."""
WISH_SAYS = {
    "asked": mark("The gateway has not heard of it yet; it is told as soon as it is connected."),
    "told": mark(
        "The gateway has heard of it and brings it when its link allows and the last part is complete."
    ),
    "none": mark("The gateway answers that nothing of it is recorded any more, or ever was."),
    "expired": mark("The gateway did not answer within 7 days."),
}
NO_LIVE = {
    "listener": mark("No live view: this hub has no media listener."),
    "silent": mark("No live view while the camera is silent."),
    "gateway": mark("No live view: the gateway is not connected for it."),
}
LIVE = {
    "connecting": mark("Connecting to the camera"),
    "live": mark("Live view"),
    "stalled": mark("No new frame for %(time)s"),
    "stopped": mark("Stopped"),
    "hidden": mark("Stopped while this tab was hidden"),
    "ended": mark("The live view ended after 15 minutes; start it again"),
    "dried": mark("The live view ended: no frame came any more"),
    "lost": mark("The hub did not answer"),
    "most": mark("At most %(count)s live views at once: stop one of them first"),
    "title_no_media_listener": NO_LIVE["listener"],
    "title_gateway_not_connected": NO_LIVE["gateway"],
    "title_too_many_viewers": mark("No live view: as many look at cameras as may; try again later"),
    "title_no_frame": mark("No live view: no frame came within 10 s"),
    "refused": mark("The hub refuses: %(why)s"),
}
"""What the script says; `title_…` are titles of the API's errors."""
ASK = {
    "order": mark("“To” is not later than “from”"),
    "long": mark("A stretch is at most 10 minutes long"),
    "future": mark("The stretch is not over yet"),
    "empty": mark("A moment is missing or is none"),
    "title_too_many": mark("100 stretches are wanted of this gateway already; wait until some have come"),
    "refused": LIVE["refused"],
    "lost": LIVE["lost"],
    "asked": mark("Asked for; what becomes of it stands below"),
    "chosen": mark("Chosen: %(from)s – %(to)s"),
    "no_video": mark("No video can be made of this part here; download it"),
}
WEEK = mark("a time after “from”, at most 7 days later")


def say_all(language: Language, words: dict[str, str]) -> dict[str, str]:
    """Return words in the page's language, for a script."""
    return {key: language.say(word) for key, word in words.items()}


def say_occasion(language: Language, reason: str) -> Said:
    """Return what a picture was taken for: the kind of event and its subject, as the gateway wrote them."""
    kind, _, subject = reason.partition(" ")
    if kind not in EVENTS:
        return say_reason(language, reason)
    return Said(f"{language.say(EVENTS[kind])} {subject}".strip())
