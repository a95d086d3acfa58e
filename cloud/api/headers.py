"""Headers that every answer has, whoever made it; what a route or a page says itself comes first."""

from starlette.datastructures import MutableHeaders

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_POLICY = "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_DATA_POLICY = f"default-src 'self'; script-src 'none'; {_POLICY}"
"""Of data and of files that others brought: nothing in them runs."""


def dress(headers: MutableHeaders, path: str) -> None:
    """Add what the answer to a request for `path` does not say itself."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _DATA_POLICY if path.startswith("/api/") else _POLICY)
