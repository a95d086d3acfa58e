"""Asks every operation of the hub's OpenAPI document, as schemathesis makes questions up from it.

A process of its own, started by `test_schemathesis.py`: schemathesis changes the Hypothesis of its process.
Usage: python -m tests.security.questions OWNER_DSN HUB_DSN
Prints every fault and how to ask that again; exit code 1 when there is one.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rules.permissions import Grant, Role
from tests.cloud.conftest import Lab
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.test_every_route import PARTS

LONG = "HENG_API_QUESTIONS" in os.environ
QUESTIONS = int(os.environ.get("HENG_API_QUESTIONS", "2"))
"""Of each kind to each operation; where this is told, others in every run (`make questions`)."""
CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    response_schema_conformance,
]
asked_alike = settings(
    max_examples=QUESTIONS,
    deadline=None,
    derandomize=not LONG,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def ask(world: World, case: Case, token: str | None) -> None:
    """Send what was made up, and hold the answer against the document."""
    case.validate_response(send(world, case, token), checks=CHECKS)


def send(world: World, case: Case, token: str | None) -> httpx.Response:
    """Send what was made up."""
    sent = case.as_transport_kwargs(base_url="http://hub")
    headers = {str(name): str(value) for name, value in dict(sent.pop("headers", {})).items()}
    headers.pop("User-Agent", None)
    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    known = {name: sent[name] for name in ("params", "json", "data", "content") if sent.get(name) is not None}
    if isinstance(known.get("data"), bytes | str):
        known["content"] = known.pop("data")
    return world.ask(sent["url"], token, sent["method"], headers=headers, **known)


def named(world: World, case: Case, chosen: Iterator[bool]) -> None:
    """Put ids of things that exist where the path has some."""
    place = world.places["here"]
    for name in case.path_parameters or {}:
        if name in PARTS and next(chosen):
            case.path_parameters[name] = PARTS[name](place, case.operation.path)


def fresh(world: World) -> str:
    """Undo what earlier questions did to who asks."""
    world.lab.execute("UPDATE accounts SET disabled_at = NULL")
    return world.token(Grant(Role.ADMINISTRATOR, 1))


def play(world: World, operation: Any, token: str | None, mode: GenerationMode) -> None:
    """Ask one operation questions that its schema foresees, or does not."""

    @given(case=operation.as_strategy(generation_mode=mode), chosen=st.tuples(*[st.booleans()] * 3))
    @asked_alike
    def questions(case: Case, chosen: tuple[bool, ...]) -> None:
        named(world, case, itertools.cycle(chosen))
        ask(world, case, token)

    try:
        questions()
    except Unsatisfiable:  # what takes nothing cannot be asked wrongly
        if mode is not GenerationMode.NEGATIVE:
            raise


OWNED = (
    *("people", "accounts", "role_grants", "invitations", "authorisations", "api_tokens", "sites", "points"),
    *("gateways", "gateway_bindings", "channel_bindings", "calibrations", "claims", "zones"),
)
"""Tables in which nothing of another organisation may change."""
IDS = {
    "organisation_id": "organisation",
    "site_id": "site",
    "account_id": "account",
    "person_id": "person",
    "point_id": "point",
    "site": "site",
    "gateway": "gateway",
}
"""Field of a body -> what a place has for it."""


def owned(world: World, organisation: int) -> list[Any]:
    return [
        world.lab.execute(f"SELECT * FROM {table} WHERE organisation_id = %s ORDER BY 1", organisation)
        for table in OWNED
    ]


def reach(world: World, operation: Any, token: str) -> None:
    """Ask for things of another organisation, in the path and in the body; raises `AssertionError`."""
    alien = world.places["alien"]

    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @asked_alike
    def questions(case: Case) -> None:
        for name in case.path_parameters or {}:
            if name in PARTS:
                case.path_parameters[name] = PARTS[name](alien, operation.path)
        if isinstance(case.body, dict):
            case.body.update({name: getattr(alien, IDS[name]) for name in case.body if name in IDS})
        answer = send(world, case, token)
        named_alien = {name for name in case.path_parameters or {} if name in PARTS} or (
            isinstance(case.body, dict) and IDS.keys() & case.body.keys()
        )
        assert not (answer.is_success and named_alien), answer.text

    questions()


ASKED = (
    (True, GenerationMode.POSITIVE),
    (True, GenerationMode.NEGATIVE),
    (False, GenerationMode.POSITIVE),
)
"""Whether somebody is signed in, who else is told nothing, and whether the schema foresees the question."""


def main(lab: Lab) -> int:
    """Return the exit code."""
    faults = asked = 0
    with open_world(lab) as world:
        schema = schemathesis.openapi.from_dict(world.app.openapi())
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation, (signed_in, kind) in itertools.product(operations, ASKED):
            asked += 1
            try:
                play(world, operation, fresh(world) if signed_in else None, kind)
            except FailureGroup as group:
                faults += 1
                say(*(f"{operation.label}: {fault}" for fault in group.exceptions))
        before = owned(world, world.places["alien"].organisation)
        for operation in operations:
            try:
                if operation.method.lower() != "get":
                    reach(world, operation, fresh(world))
            except AssertionError as fault:
                faults += 1
                say(f"{operation.label}: reaches another organisation: {fault}")
        if owned(world, world.places["alien"].organisation) != before:
            faults += 1
            say("something of another organisation was changed")
    say(f"{asked} asked, {faults} faults")
    return min(faults, 1)


def say(*lines: str) -> None:
    sys.stdout.write("\n".join((*lines, "")))


if __name__ == "__main__":
    sys.exit(main(Lab(sys.argv[1], sys.argv[2])))
