import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

FILES = {
    *("/api/media/{sha256}", "/api/media/{sha256}/video", "/api/cameras/{camera}/live"),
    *("/api/calibrations/{calibration}/certificate", "/api/imports/template"),
    *("/api/access/rights.csv", "/api/visits.csv", "/api/jobs.csv", "/api/jobs/{job}/record.csv"),
    "/api/operations/{operation}/transcript.json",
    *("/api/access/rights.csv", "/api/visits.csv"),
    *("/api/jobs.csv", "/api/jobs/{job}/record.csv", "/api/operations/{operation}/transcript.json"),
}
"""Addresses that answer with something else than JSON."""
LONG = "HENG_API_QUESTIONS" in os.environ
QUESTIONS = int(os.environ.get("HENG_API_QUESTIONS", "5"))
"""Of each operation; where this is told, others in every run (`make questions`)."""
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"


class Http(Protocol):
    app: FastAPI
    point: int

    def get(self, path: str, **query: object) -> httpx.Response: ...


@pytest.fixture(scope="module")
def document(http: Http) -> dict[str, Any]:
    response = http.get("/openapi.json")
    assert response.status_code == 200
    found = response.json()
    assert isinstance(found, dict)
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if "get" in methods:
            yield path, methods["get"]


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def shape(operation: dict[str, Any], status: str) -> dict[str, Any]:
    content = operation["responses"][status]["content"]
    (media,) = content.values()
    found = media["schema"]
    assert isinstance(found, dict)
    return found


def test_document_is_valid_and_its_references_resolve(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {"title", "version"} <= document["info"].keys()
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for reference in references(document):
        target: Any = document
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_answer_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        if path in ("/metrics", "/api/audit.csv"):
            continue
        content = operation["responses"]["200"]["content"].get("application/json")
        if content is None:  # pictures, recordings, live views
            assert path in FILES
            continue
        validator(document, content["schema"]).validate(content["example"])


def test_every_operation_says_what_its_errors_look_like(document: dict[str, Any]) -> None:
    for _, operation in operations(document):
        assert operation["summary"]
        problem = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
        assert problem == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_path_is_in_the_reference(document: dict[str, Any]) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert [path for path, _ in operations(document) if f"`{path}`" not in text] == []


START = datetime(2025, 12, 1, tzinfo=UTC)

NASTY = st.one_of(
    st.text(max_size=20),
    st.integers(-(10**30), 10**30).map(str),
    st.sampled_from(
        ["", "0", "-1", "1", "nan", "1e9", "null", "\x00", "'; --", "9" * 400, "true", "%00", "１"]
    ),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
    st.sampled_from(
        ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00", "2026-01-01T00:00:00-23:59"]
    ),
)
NICE = st.one_of(
    st.integers(1, 9).map(str),
    st.sampled_from(["raw", "1m", "1h", "auto", "lab-1", "gateway-1", "bus", "vehicle", "false"]),
    st.integers(0, 400).map(lambda day: (START + timedelta(days=day)).isoformat()),
    st.sampled_from(
        ["2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z", "2200-01-01T00:00:00Z", "2000-01-01T00:00:00Z"]
    ),
)


@pytest.mark.slow
@pytest.mark.timeout(0 if LONG else 240)
def test_no_input_makes_a_server_error(http: Http, document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        ask(http, document, path, operation)


def ask(http: Http, document: dict[str, Any], path: str, operation: dict[str, Any]) -> None:
    """Ask one operation whatever may come, and hold each answer against the document."""

    @given(data=st.data())
    @settings(max_examples=QUESTIONS, derandomize=not LONG, phases=(Phase.generate,))
    def questions(data: st.DataObject) -> None:
        asked, query, usual = path, dict[str, object](), {200, 404, 422}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                value = data.draw(st.one_of(NICE, NASTY).filter(lambda text: text.strip("./ ")))
                written = httpx.URL("http://x", params={"v": value}).query.decode()[2:]
                asked = asked.replace("{" + parameter["name"] + "}", written)
                if "/" in value:  # another address: it may lead to one without the slash, or climb
                    usual |= {307, 400}
            elif data.draw(st.booleans()) or parameter.get("required"):
                query[parameter["name"]] = data.draw(st.one_of(NICE, NICE, NASTY))
        response = http.get(asked, **query)
        if response.status_code == 503:  # says itself that it is to be asked again; what asks for it stays so
            response = http.get(asked, **query)
        assert response.status_code in usual, (asked, query, response.text)
        if response.status_code == 200:
            if response.headers["content-type"].startswith("application/json"):
                validator(document, shape(operation, "200")).validate(response.json())
        elif response.status_code != 307:
            assert response.headers["content-type"] == "application/problem+json"
            validator(document, {"$ref": "#/components/schemas/Problem"}).validate(response.json())

    questions()
