"""What the OpenAPI document says beyond the routes: errors, descriptions of fields, examples of answers.

Descriptions are the docstrings of the store's dataclasses; examples are in `examples.json`. Nothing here
serves a request.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise
from typing import Any

from cloud.api.routes.health import Alive, Check, Readiness
from cloud.api.routes.settings import Difference, SettingsDocument, SettingsState
from cloud.api.services import Page
from cloud.store.alarm_points import WatchedPoint
from cloud.store.alarm_templates import Channel, Delivery, SavedPolicy, Template
from cloud.store.alarms_read import Alarm, Remark
from cloud.store.audit_log import AuditRow
from cloud.store.calibration_entries import Calibration, Standing
from cloud.store.camera_timeline import Picture, Segment, Span, Timeline
from cloud.store.cameras import Camera
from cloud.store.candidates import Candidate
from cloud.store.completeness import Completeness, Unexplained
from cloud.store.coverage import Cell, Cover, ZoneCoverage
from cloud.store.devices_read import Device, Part
from cloud.store.events_read import Event
from cloud.store.gaps_read import Gap
from cloud.store.health import Backlog
from cloud.store.imports import ImportRun
from cloud.store.latest import Latest
from cloud.store.ledger_read import EpochAccount
from cloud.store.media_wishes import Wish
from cloud.store.people import Authorisation, Person
from cloud.store.points import Point
from cloud.store.positions_read import Fix, LatestPosition, Track
from cloud.store.readings import Reading, Series
from cloud.store.retention import Duty, Kept
from cloud.store.settings_templates import SettingsTemplate
from cloud.store.shadow import Revision, Told
from cloud.store.sites import Gateway, Site
from cloud.store.tallies import Bucket
from cloud.store.web_sessions import ApiToken
from cloud.store.zones import Portal, Zone

_SHAPES = (
    Alarm,
    Alive,
    ApiToken,
    AuditRow,
    Authorisation,
    Backlog,
    Bucket,
    Calibration,
    Camera,
    Candidate,
    Cell,
    Channel,
    Check,
    Completeness,
    Cover,
    Delivery,
    Device,
    Duty,
    Difference,
    EpochAccount,
    Event,
    Fix,
    Gap,
    Gateway,
    ImportRun,
    Kept,
    Latest,
    LatestPosition,
    Part,
    Picture,
    Person,
    Point,
    Portal,
    Readiness,
    Reading,
    Remark,
    Revision,
    SavedPolicy,
    Segment,
    Series,
    SettingsDocument,
    SettingsState,
    SettingsTemplate,
    Site,
    Span,
    Standing,
    Template,
    Timeline,
    Told,
    Track,
    Unexplained,
    WatchedPoint,
    Wish,
    Zone,
    ZoneCoverage,
)

_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error as RFC 9457 problem details.",
    "required": ["type", "title", "status", "detail", "instance", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The kind of error."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened this time."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "errors": {
            "type": "array",
            "description": "The bad fields, all of them at once.",
            "items": {
                "type": "object",
                "required": ["field", "value", "expected"],
                "properties": {
                    "field": {"type": "string"},
                    "value": {
                        "type": "string",
                        "description": "What was sent, its first 200 characters.",
                    },
                    "expected": {"type": "string"},
                },
            },
        },
    },
}
_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

COMMON_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody is signed in, and no token was sent.", "content": _PROBLEM_CONTENT},
    403: {"description": "Who asks may not do this.", "content": _PROBLEM_CONTENT},
    404: {"description": "There is no such thing.", "content": _PROBLEM_CONTENT},
    422: {"description": "A field is not as expected; `errors` names each.", "content": _PROBLEM_CONTENT},
    503: {"description": "The database does not answer, or not in time.", "content": _PROBLEM_CONTENT},
}


_CHANGING: dict[str, dict[str, Any]] = {
    "400": {"description": "The body cannot be read.", "content": _PROBLEM_CONTENT},
    "408": {"description": "The body came too slowly.", "content": _PROBLEM_CONTENT},
    "409": {"description": "It cannot be done as things are.", "content": _PROBLEM_CONTENT},
    "413": {"description": "The body is too large."},
    "415": {"description": "The body is of another media type.", "content": _PROBLEM_CONTENT},
}
"""What operations that change something answer besides."""


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add error shape, field descriptions and examples to a generated OpenAPI document, and return it."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for shape in _SHAPES:
        _describe(schemas.get(shape.__name__, {}), shape)
    for name in schemas:
        if name.startswith("Page_"):
            _describe(schemas[name], Page)
    for methods in document["paths"].values():
        for method in methods.keys() - {"get"}:
            methods[method]["responses"] = _CHANGING | methods[method]["responses"]
    for path, example in _EXAMPLES.items():
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        content["application/json"]["example"] = example
    return document


def _describe(schema: dict[str, Any], shape: type) -> None:
    for field, text in _TEXTS[shape].items():
        if field in schema.get("properties", {}):
            schema["properties"][field]["description"] = text


def _field_texts(shape: type) -> Iterator[tuple[str, str]]:
    """Yield each field with the docstring that follows it in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(shape))).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said)


# Read when the hub starts: what is on the disk may be that of the next version before it starts again.
_TEXTS: dict[type, dict[str, str]] = {shape: dict(_field_texts(shape)) for shape in (*_SHAPES, Page)}
_EXAMPLES: dict[str, Any] = json.loads(
    (resources.files("cloud.api") / "examples.json").read_text(encoding="utf-8")
)
