"""What a browser sends with a form: small, in time, and as plain fields; no files."""

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from fastapi import Request

from cloud.api.errors import ApiError

FORM_BYTES_MAX = 16 * 1024
FORM_FIELDS_MAX = 100
PATIENCE_S = 10.0


async def read_form(request: Request, *, bytes_max: int = FORM_BYTES_MAX) -> Mapping[str, str]:
    """Return the fields of a form; of one that comes twice the last.

    Raises `ApiError` for a body that is too large, too slow or no form.
    """
    pairs = await read_pairs(request, bytes_max=bytes_max)
    return dict(pairs)


async def read_pairs(
    request: Request,
    *,
    patience_s: float = PATIENCE_S,
    bytes_max: int = FORM_BYTES_MAX,
    fields_max: int = FORM_FIELDS_MAX,
) -> list[tuple[str, str]]:
    """Return the fields of a form in order, with those that come more than once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ApiError(415, "Unsupported media type", "A form is sent as application/x-www-form-urlencoded.")
    body = bytearray()
    try:
        async with asyncio.timeout(patience_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > bytes_max:
                    raise ApiError(413, "Too large", f"A form has at most {bytes_max} bytes.")
    except TimeoutError:
        raise ApiError(408, "Too slow", f"A form arrives within {patience_s:.0f} s.") from None
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=fields_max
        )
    except ValueError:
        raise ApiError(422, "Bad input", "The body is no form.") from None
    if any("\0" in text for pair in pairs for text in pair):
        raise ApiError(422, "Bad input", "The body is no form: it holds a zero byte.")
    return pairs
