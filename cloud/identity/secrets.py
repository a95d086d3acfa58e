"""Passwords (argon2id), codes of the second factor (RFC 6238), and random tokens. No I/O, no clock.

Passwords are hashed in a thread, two at a time: each takes 64 MiB for a moment.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from urllib.parse import quote

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PASSWORD_MIN = 10
PASSWORD_MAX = 256
TOTP_STEP_S = 30
TOTP_DIGITS = 6
TOTP_DRIFT = 1
"""Steps that a telephone's clock may be off."""
SEED_BYTES = 20
_AT_A_TIME = 2
_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_urlsafe())
"""What the password of an unknown login is compared with, so that it takes as long."""


class Passwords:
    """Hashes and checks passwords, few at a time."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_A_TIME)

    async def hash(self, password: str) -> str:
        """Return the argon2id hash in its own text form."""
        async with self._room:
            return await asyncio.to_thread(_hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether a password is the one; as slow when there is none (`kept` None)."""
        async with self._room:
            return await asyncio.to_thread(_fits, password, kept)


def _fits(password: str, kept: str | None) -> bool:
    try:
        _hasher.verify(kept or _nobody, password[:PASSWORD_MAX])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def password_fault(password: str, login: str) -> str:
    """Return what is wrong with a new password, else nothing."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return f"{PASSWORD_MIN} to {PASSWORD_MAX} characters"
    if login and login in password.lower():
        return "a password that does not contain the login"
    if len(set(password)) < PASSWORD_MIN // 2:
        return f"at least {PASSWORD_MIN // 2} different characters"
    return ""


def new_token(prefix: str = "") -> str:
    """Return 256 random bits as text for a cookie, an invitation or an API token."""
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Return what is kept of a token: it is random, so a plain SHA-256 does."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def new_seed() -> bytes:
    """Return the seed of a second factor."""
    return secrets.token_bytes(SEED_BYTES)


def seed_text(seed: bytes) -> str:
    """Return a seed as it is typed into an authenticator: base32 without padding."""
    return base64.b32encode(seed).decode().rstrip("=")


def seed_address(seed: bytes, login: str) -> str:
    """Return the otpauth address that authenticators read from a QR code."""
    return f"otpauth://totp/Heng:{quote(login)}?secret={seed_text(seed)}&issuer=Heng"


def totp(seed: bytes, step: int) -> str:
    """Return the code of a time step (RFC 6238 with SHA-1, six digits)."""
    digest = hmac.digest(seed, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = struct.unpack_from(">I", digest, offset)[0] & 0x7FFF_FFFF
    return f"{number % 10**TOTP_DIGITS:0{TOTP_DIGITS}d}"


def totp_step(seed: bytes, code: str, *, unix_s: float) -> int | None:
    """Return the time step that a code belongs to, near a time; None when to none."""
    digits = "".join(code.split())
    if len(digits) != TOTP_DIGITS or not digits.isascii() or not digits.isdigit():
        return None
    now = int(unix_s) // TOTP_STEP_S
    steps = range(now - TOTP_DRIFT, now + TOTP_DRIFT + 1)
    found = [step for step in steps if hmac.compare_digest(totp(seed, step), digits)]
    return found[-1] if found else None
