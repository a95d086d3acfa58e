"""Asks every operation of the hub's OpenAPI document, as schemathesis makes questions up from it.

A process of its own, started by `test_schemathesis.py`: schemathesis changes the Hypothesis of its process.
Usage: python -m tests.security.questions OWNER_DSN HUB_DSN
Prints every fault and how to ask that again; exit code 1 when there is one.
"""

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
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

EXAMPLES = 6
CHECKS = [
    *(not_a_server_error, status_code_conformance, content_type_conformance),
    response_schema_conformance,
]
asked_alike = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def ask(world: World, case: Case, token: str | None) -> None:
    """Send what was made up, and hold the answer against the document."""
    sent = case.as_transport_kwargs(base_url="http://hub")
    headers = {str(name): str(value) for name, value in dict(sent.pop("headers", {})).items()}
    headers.pop("User-Agent", None)
    headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
    known = {name: sent[name] for name in ("params", "json", "data", "content") if sent.get(name) is not None}
    if isinstance(known.get("data"), bytes | str):
        known["content"] = known.pop("data")
    answer = world.ask(sent["url"], token, sent["method"], headers=headers, **known)
    case.validate_response(answer, checks=CHECKS, headers=headers)


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


def play(world: World, operation: Any, token: str | None) -> None:
    """Ask one operation some questions."""

    @given(data=st.data())
    @asked_alike
    def questions(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        named(world, case, itertools.cycle(data.draw(st.tuples(*[st.booleans()] * 3))))
        ask(world, case, token)

    questions()


def main(lab: Lab) -> int:
    """Return the exit code."""
    faults = asked = 0
    with open_world(lab) as world:
        schema = schemathesis.openapi.from_dict(world.app.openapi())
        operations = [found.ok() for found in schema.get_all_operations()]
        for operation, signed_in in itertools.product(operations, (True, False)):
            asked += 1
            try:
                play(world, operation, fresh(world) if signed_in else None)
            except FailureGroup as group:
                faults += 1
                say(*(f"{operation.label}: {fault}" for fault in group.exceptions))
    say(f"{asked} asked, {faults} faults")
    return min(faults, 1)


def say(*lines: str) -> None:
    sys.stdout.write("\n".join((*lines, "")))


if __name__ == "__main__":
    sys.exit(main(Lab(sys.argv[1], sys.argv[2])))
