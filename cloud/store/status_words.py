"""The word of a stored status number; knows no meaning beyond `wire.status`."""

from wire.status import Status

_WORDS = {int(status): status.name.lower() for status in Status}


def status_word(code: int) -> str:
    """Return the word of a status; a number that this version does not know is named by itself."""
    return _WORDS.get(code, f"status_{code}")
