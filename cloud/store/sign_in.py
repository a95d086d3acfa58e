"""Tells a database that lets us not in from one that cannot be reached: waiting mends only the second."""

import psycopg
from psycopg.conninfo import conninfo_to_dict

_REFUSED = ("authentication failed", "认证失败")
"""How servers say it in English and in Chinese; the protocol's code is not given out for a failed start."""


def sign_in_fault(url: str, error: psycopg.OperationalError) -> str:
    """Return what to say when the server refused user or password, else nothing; never the password."""
    asked = error.pgconn is not None and error.pgconn.needs_password
    if not asked and not any(words in str(error) for words in _REFUSED):
        return ""
    given = conninfo_to_dict(url)
    where = f"user {given.get('user') or '(none)'} at {given.get('host') or 'the local socket'}"
    reason = "no password is given" if asked else "its authentication failed"
    return f"HENG_DATABASE_URL: {where}: {reason}; expected a user and password that the server accepts"
