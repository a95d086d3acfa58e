"""Knows who posts: by a token that the device sends, or by a signature that nobody can send twice.

Keys are files that are closed to others; a missing one is made, for whoever fits the device to copy.
"""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.intake.limits import Bucket, Buckets
from edge.intake.server import Request
from wire.settings.intake import Sender

FAILURES_PER_MINUTE = 20
"""So often an address may come with a wrong key; then it is not listened to for a while."""
KEY_CHARACTERS_MIN = 16
KEY_CHARACTERS_MAX = 256
COUNTER_DIGITS_MAX = 18
SENDER, COUNTER, SIGNATURE = "x-heng-sender", "x-heng-counter", "x-heng-signature"


class KeyFileError(Exception):
    """A key cannot be used; the text shows no character of it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken: the status of the answer, and words that tell nothing to guess by."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who sent a request; `counter` is that of a signed one, to be remembered once it is taken."""

    sender: Sender
    counter: int | None


def read_key(folder: Path, name: str) -> bytes:
    """Return the key in `<name>.key`, made when it is missing; `KeyFileError` when it is unfit."""
    file = folder / f"{name}.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as made:
                made.write(secrets.token_urlsafe(32) + "\n")
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file.name}: readable by others: expected mode 0600")
        key = file.read_bytes().strip()
    except OSError as error:
        raise KeyFileError(f"{file.name}: {error.strerror}") from None
    if not KEY_CHARACTERS_MIN <= len(key) <= KEY_CHARACTERS_MAX:
        wanted = f"{KEY_CHARACTERS_MIN} to {KEY_CHARACTERS_MAX}"
        raise KeyFileError(f"{file.name}: {len(key)} characters: expected {wanted}")
    return key


def read_password(folder: Path, name: str) -> str:
    """Return the password in `<name>.key`, which somebody else gave; `KeyFileError` when it is unfit."""
    file = folder / f"{name}.key"
    try:
        if file.stat().st_mode & 0o077:
            raise KeyFileError(f"{file.name}: readable by others: expected mode 0600")
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file.name}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None


def signature(key: bytes, *, sender: str, counter: int, path: str, body: bytes) -> str:
    """Return what a signing device sends: HMAC-SHA256 over sender, counter, path and body, in hexadecimal."""
    head = f"{sender}\n{counter}\n{path}\n".encode()
    return hmac.digest(key, head + body, "sha256").hex()


class Senders:
    """Everybody who may post to one server."""

    def __init__(self, senders: Sequence[Sender], keys: Mapping[str, bytes], *, now_s: float) -> None:
        """`keys` are by the sender's name."""
        self._senders = {sender.name: sender for sender in senders}
        self._keys = keys
        self._buckets = {sender.name: Bucket.full(sender.per_minute, now_s) for sender in senders}
        self._failures = Buckets(FAILURES_PER_MINUTE)
        self.counters: dict[str, int] = {}
        """The last counter of each signing sender."""

    def judge(self, request: Request, now_s: float) -> Accepted | Refusal:
        """Say who sent a request, or why it is refused."""
        found = self._signer(request) if SIGNATURE in request.headers else self._bearer(request)
        if found is None:
            if not self._failures.take(request.peer, now_s):
                return Refusal(429, "too many wrong keys")
            return Refusal(401, "unknown key")
        if isinstance(found, Refusal):
            return found
        if not self._buckets[found.sender.name].take(now_s):
            return Refusal(429, "more than per_minute allows")
        return found

    def took(self, accepted: Accepted) -> None:
        """Have a signed request refused from here on."""
        if accepted.counter is not None:
            self.counters[accepted.sender.name] = accepted.counter

    def _bearer(self, request: Request) -> Accepted | None:
        given = _token(request.headers.get("authorization", ""))
        found: Sender | None = None
        # Every key is compared, in constant time each: how long it takes tells nobody how near they are.
        for name, sender in self._senders.items():
            same = hmac.compare_digest(self._keys[name], given)
            if same and sender.auth == "token":
                found = sender
        return None if found is None else Accepted(found, None)

    def _signer(self, request: Request) -> Accepted | Refusal | None:
        sender = self._senders.get(request.headers.get(SENDER, ""))
        digits = request.headers.get(COUNTER, "")
        if sender is None or sender.auth != "hmac":
            return None
        if not (digits.isascii() and digits.isdigit() and len(digits) <= COUNTER_DIGITS_MAX):
            return None
        counter = int(digits)
        key = self._keys[sender.name]
        right = signature(key, sender=sender.name, counter=counter, path=request.path, body=request.body)
        given = request.headers[SIGNATURE].lower().encode("ascii", "replace")
        if not hmac.compare_digest(right.encode(), given):
            return None
        if counter <= self.counters.get(sender.name, -1):
            return Refusal(409, "counter was used before")
        return Accepted(sender, counter)


def _token(authorization: str) -> bytes:
    """Return the key in an `Authorization` field: the bearer's token, or the password of a basic one."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
