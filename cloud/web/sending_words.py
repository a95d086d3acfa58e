"""What the log of messages says of attempts, for the catalogues; a test compares it with the ways."""

from cloud.web.language import Language
from cloud.web.reasons import Said, matching
from cloud.web.words import mark

TOLD = (
    mark("nobody listens at this address"),
    mark("the far end broke the connection off"),
    mark("no answer in time"),
    mark("no host of this name is found"),
    mark("the certificate of the far end is not trusted"),
    mark("no encrypted connection could be made"),
    mark("the mail server broke the connection off"),
    mark("the mail server cannot do what HENG_SMTP_URL asks of it"),
    mark("a hook may not lead to this machine: HENG_NOTIFY_LOCAL"),
    mark("no mail server is set up: HENG_SMTP_URL"),
    mark("there is no such way any more"),
    mark("accepted"),
    mark("it could not be sent: %(why)s"),
)


def say_told(language: Language, told: str) -> Said:
    """Return what an attempt told in the language of the page; what a far end said stays as it came."""
    found = matching(told, TOLD)
    if found is None:
        return Said(told, "" if language.code == "en" else "en")
    message, parts = found
    return Said(language.say(message) % parts if parts else language.say(message))
