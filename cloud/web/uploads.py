"""A form with one file, as browsers send it: bounded in bytes and in time, kept in memory."""

import asyncio
import re
from dataclasses import dataclass

from fastapi import Request

from cloud.api.errors import ApiError
from cloud.web.forms import FORM_BYTES_MAX, FORM_FIELDS_MAX

_PATIENCE_S = 60.0
_BOUNDARY = re.compile(r"""boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)""", re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"\r\n]{1,100})"')
_FILE = re.compile(rb'\bfilename="([^"\r\n]{0,300})"')


@dataclass(frozen=True, slots=True)
class Upload:
    """What a form brought; `file` is empty when none was chosen."""

    fields: dict[str, str]
    file: bytes
    file_name: str


def body_limit(file_bytes_max: int) -> int:
    """Return how large a form with a file of so many bytes may be."""
    return file_bytes_max + FORM_BYTES_MAX


async def read_upload(request: Request, *, file_bytes_max: int) -> Upload:
    """Return fields and file of a form; `ApiError` for a body that is too large, too slow or no form."""
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    found = _BOUNDARY.search(rest)
    if kind.strip().lower() != "multipart/form-data" or found is None:
        raise ApiError(415, "Unsupported media type", "A form with a file is sent as multipart/form-data.")
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > body_limit(file_bytes_max):
                    raise ApiError(413, "Too large", f"A file has at most {file_bytes_max} bytes.")
    except TimeoutError:
        raise ApiError(408, "Too slow", f"A form arrives within {_PATIENCE_S:.0f} s.") from None
    return parse(bytes(body), (found[1] or found[2]).encode("latin-1"))


def parse(body: bytes, boundary: bytes) -> Upload:
    """Return fields and file of a whole body; raises `ApiError` for what is no such form."""
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(parts) < 2 or parts[0] or not parts[-1].startswith(b"--") or len(parts) > FORM_FIELDS_MAX:
        raise _no_form()
    fields: dict[str, str] = {}
    file, file_name = b"", ""
    for part in parts[1:-1]:
        head, gap, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not gap or name is None:
            raise _no_form()
        try:
            if (brought := _FILE.search(head)) is None:
                fields[name[1].decode()] = content.decode()
            else:
                file, file_name = content, brought[1].decode()
        except UnicodeDecodeError:
            raise _no_form() from None
    if sum(map(len, fields.values())) > FORM_BYTES_MAX:
        raise ApiError(413, "Too large", f"The fields of a form have at most {FORM_BYTES_MAX} characters.")
    return Upload(fields, file, file_name)


def _no_form() -> ApiError:
    return ApiError(422, "Bad input", "The body is no form.")
