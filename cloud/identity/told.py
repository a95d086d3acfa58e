"""Remembers what was written down lately, so that who repeats it does not fill the audit log. In memory."""

import hashlib
from datetime import datetime, timedelta

_REPEAT = timedelta(minutes=1)
_MOST = 1000


class Told:
    """What was told within the last minute; of too many different things it forgets all at once."""

    def __init__(self) -> None:
        self._at: dict[bytes, datetime] = {}

    def is_new(self, *what: str, now: datetime) -> bool:
        """Whether this was not told within a minute; from now on it was."""
        key = _key(what)
        last = self._at.get(key)
        if last is not None and now - last <= _REPEAT:
            return False
        if len(self._at) >= _MOST:
            self._at.clear()
        self._at[key] = now
        return True

    def forget(self, *what: str) -> None:
        """Let it be told again: it could not be written down."""
        self._at.pop(_key(what), None)


def _key(what: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\n".join(what).encode(errors="replace")).digest()
