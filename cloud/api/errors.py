"""Every error of the API as RFC 9457 problem details: which field, what it was, what was expected.

ApiError                what a route raises
not_found(...)       404
refused(...)         422, one field
bad_input(...)       422, every bad field
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cloud.api.headers import dress

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
VALUE_MAX = 200
TIME = (
    "a time with its zone as in RFC 3339, 2000 to 2200, such as 2026-01-01T00:00:00Z "
    "(a + must be sent as %2B)"
)
NOT_FOUND = "Not found"
_KNOWN = {
    404: (NOT_FOUND, "There is nothing at this address."),
    405: ("Method not allowed", "This address does not know this method."),
}
"""Errors of the framework: title and detail."""
NAME = r"^[a-z0-9-]{1,63}$"
WORD = r"^[a-z0-9_]{1,64}$"
SHA256 = r"^[0-9a-f]{64}$"
PATTERNS = {
    SHA256: "64 hexadecimal digits, 0-9 and a-f",
    NAME: "1 to 63 characters of a-z, 0-9, '-'",
    WORD: "1 to 64 characters of a-z, 0-9, '_'",
}
"""Pattern of a field -> what it says, for people."""


class Fault(msgspec.Struct, frozen=True):
    """One bad field."""

    field: str
    value: str
    expected: str


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, title: str, detail: str, *, faults: Sequence[Fault] = ()) -> None:
        """`title` says the kind of error, `detail` what happened this time."""
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.faults = tuple(faults)

    def response(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """Return it as a response to a request for `path`."""
        body = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": _whole(self.detail),
            "instance": path,
            "errors": [
                Fault(_whole(fault.field), _whole(fault.value), _whole(fault.expected))
                for fault in self.faults
            ],
        }
        return Response(
            msgspec.json.encode(body), status_code=self.status, media_type=MEDIA_TYPE, headers=headers
        )


def _whole(text: str) -> str:
    """Return a text that can be sent: JSON may bring halves of characters (lone surrogates)."""
    return text.encode(errors="replace").decode()


def not_found(field: str, value: object, what: str) -> ApiError:
    """Return the error for an id or name that is not there."""
    text = str(value)[:VALUE_MAX]
    return ApiError(
        404, NOT_FOUND, f"There is no {what} {text}.", faults=[Fault(field, text, f"an existing {what}")]
    )


def refused(field: str, value: object, expected: str) -> ApiError:
    """Return the error for one field that is well formed but cannot be."""
    text = str(value)[:VALUE_MAX]
    return ApiError(422, "Bad input", f"{field}: expected {expected}.", faults=[Fault(field, text, expected)])


def bad_input(faults: Sequence[Fault]) -> ApiError:
    """Return the error that names every bad field."""
    detail = "; ".join(f"{fault.field}: expected {fault.expected}" for fault in faults)
    return ApiError(422, "Bad input", f"{detail}.", faults=faults)


def faults_of(error: RequestValidationError) -> list[Fault]:
    """Return the fields that did not fit a route's declarations."""
    return [_fault(entry) for entry in error.errors()]


def install(app: FastAPI) -> None:
    """Let the application answer every error as problem details."""

    @app.exception_handler(ApiError)
    async def problem(request: Request, error: ApiError) -> Response:
        return error.response(request.url.path)

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Response:
        return bad_input(faults_of(error)).response(request.url.path)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        title, detail = _KNOWN.get(error.status_code, (detail, detail))
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"
        return ApiError(error.status_code, title, detail).response(request.url.path, headers)

    @app.exception_handler(psycopg.errors.QueryCanceled)
    async def too_slow(request: Request, error: psycopg.errors.QueryCanceled) -> Response:
        detail = "The answer took longer than 30 s; ask for a shorter interval."
        return ApiError(503, "Too slow", detail).response(request.url.path)

    @app.exception_handler(psycopg.OperationalError)
    async def no_database(request: Request, error: psycopg.OperationalError) -> Response:
        detail = "The database does not answer; ask again later."
        return ApiError(503, "Unavailable", detail).response(request.url.path, {"retry-after": "5"})

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        detail = "This is a defect of the hub; its log says more."
        answer = ApiError(500, "Defect", detail).response(request.url.path)
        dress(answer.headers, request.url.path)  # no middleware of ours sees this answer
        return answer


_EXPECTED = {
    "missing": "a value",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer that is not so long",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a table of fields",
    "model_attributes_type": "a table of fields",
    "extra_forbidden": "no field of this name",
}


def _fault(entry: Mapping[str, Any]) -> Fault:
    if entry["type"] == "json_invalid":
        return Fault("body", "", f"JSON; it cannot be read from character {entry['loc'][-1]} on")
    field = ".".join(str(part) for part in entry["loc"][1:]) or "request"
    value = "" if entry["type"] == "missing" else str(entry.get("input"))[:VALUE_MAX]
    return Fault(field, value, _expected(str(entry["type"]), entry.get("ctx") or {}, str(entry["msg"])))


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind.startswith(("datetime", "timezone")) or any("T00:00" in str(v) for v in context.values()):
        return TIME
    if kind == "greater_than_equal":
        return f"at least {context['ge']}"
    if kind == "less_than_equal":
        return f"at most {context['le']}"
    if kind == "literal_error":
        return f"one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context["pattern"]), f"a text that matches {context['pattern']}")
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    if kind == "string_too_short":
        return f"at least {context['min_length']} characters"
    if kind == "too_short":
        return f"at least {context['min_length']} entries"
    if kind == "too_long":
        return f"at most {context['max_length']} entries"
    return _EXPECTED.get(kind, message)
