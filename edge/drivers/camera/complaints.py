"""ffmpeg's complaints in, one of a few known reasons out. Pure.

A reason is journalled, sent and shown: none holds ffmpeg's own words, which quote the stream's address and
may hold a login. They go to the log, without secrets.
"""

from collections.abc import Iterable

UNKNOWN = "ffmpeg failed; its words are in the gateway's log"
WORDLESS = "ffmpeg ended without a word"
FULL = "No space left on device"
_LOGIN = "the camera refuses user and password"
_KNOWN = (
    # ffmpeg's words -> reason; what is nearer to the cause stands first
    (FULL, FULL),
    ("401 Unauthorized", _LOGIN),
    ("authorization failed", _LOGIN),
    ("403 Forbidden", "the camera forbids this stream"),
    ("access denied", "the camera forbids this stream"),
    ("404 Not Found", "the camera has no stream at this address"),
    ("404 Stream Not Found", "the camera has no stream at this address"),
    ("453 Not Enough Bandwidth", "the camera serves too many already"),
    ("503 Service Unavailable", "the camera serves too many already"),
    ("Server returned 5XX", "the camera has a fault of its own"),
    ("Server returned 4XX", "the camera refuses the request"),
    ("Connection refused", "Connection refused"),
    ("Connection reset by peer", "Connection reset by peer"),
    ("Connection timed out", "Connection timed out"),
    ("Operation timed out", "Connection timed out"),
    ("No route to host", "No route to host"),
    ("Network is unreachable", "Network is unreachable"),
    ("Host is down", "Host is down"),
    ("Name or service not known", "Name or service not known"),
    ("Temporary failure in name resolution", "Temporary failure in name resolution"),
    ("matches no streams", "there is no video in the stream"),
    ("Nonmatching transport in server reply", "the camera knows no such transport"),
    ("461 Unsupported transport", "the camera knows no such transport"),
    ("Invalid data found when processing input", "what came is no video that can be read"),
    ("moov atom not found", "what came is no video that can be read"),
    ("End of file", "the camera ended the stream"),
    ("Broken pipe", "the camera ended the stream"),
    ("Input/output error", "the stream broke off"),
)
REASONS = frozenset({UNKNOWN, WORDLESS, *(reason for _, reason in _KNOWN)})
"""All that is ever told of ffmpeg."""


def reason_of(said: Iterable[str]) -> str:
    """Return what lines of ffmpeg come to."""
    text = " ".join(said)
    if not text.strip():
        return WORDLESS
    folded = text.casefold()
    return next((reason for words, reason in _KNOWN if words.casefold() in folded), UNKNOWN)
