"""Why somebody was refused: what the gateway said counts, and the replay shows the rest."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from cloud.rights_compile import compile_rights
from cloud.rights_explain import REPLAYED, explanation_of, revision_of
from cloud.store.decisions import DoorEvent
from cloud.store.rights_rows import CredentialRow, ItemRow, PersonRow, PortalRow, Rows, SiteRow
from cloud.web.doors_view import event_views, step_views
from cloud.web.language import language
from rules.access.reasons import GRANTS, STEP_OF, Reason, Step
from rules.access.sentences import sentence
from rules.access.snapshot import Snapshot, snapshot_of
from rules.access.words import Outcome
from wire.shadow import Revision

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)
KEY = "0123456789abcdef"
TOKENS = {"p1": "1" * 32, "p2": "2" * 32}


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    """Person 1 may come in on Sundays alone, person 2 not at all."""
    items = [
        ItemRow("schedule", "sunday", 1, {"windows": [[["sun"], 0, 1440]]}),
        ItemRow("right", "r-1", 1, {"people": ["p1"], "zones": ["lobby"], "schedule": "sunday"}),
        ItemRow("right", "r-2", 1, {"people": ["p2"], "zones": ["lobby"], "effect": "deny"}),
    ]
    people = [
        PersonRow(n, f"p{n}", f"P {n}", "staff", None, "active", None, None, False, False, None, None, None)
        for n in (1, 2)
    ]
    rows = Rows(
        SiteRow(1, 1, "lab-1", "Asia/Shanghai"),
        KEY,
        items=items,
        zones=["lobby"],
        portals=[PortalRow("front", None, "lobby")],
        people=people,
        credentials=[CredentialRow(n, "card", KEY, TOKENS[f"p{n}"], "active", None, None) for n in (1, 2)],
    )
    made = compile_rights(rows, "gw-1", now=NOW).rights
    assert made is not None
    issued = round(NOW.timestamp() * 1000)
    return snapshot_of(msgspec.structs.replace(made, revision=Revision(0, 3), issued_at_ms=issued))


def event(reason: str, person: str = "p1", **data: Any) -> DoorEvent:
    kind = "access_granted" if reason in GRANTS else "access_refused"
    said = {"reason": reason, "person": person, "token": TOKENS[person], **data}
    return DoorEvent(1, NOW, NOW, kind, "front/in", said, 1, "gw-1", 1, "lab-1")


def outcomes(told: Any) -> dict[Step, Outcome]:
    return {one.step: one.outcome for one in told.findings}


def test_replay_comes_to_the_same_step_and_names_the_rule(snapshot: Snapshot) -> None:
    told = explanation_of(event("out_of_schedule", rule="right:r-1"), snapshot, "0.3")
    assert told.alike
    assert told.kept
    found = outcomes(told)
    assert found[Step.CREDENTIAL] is Outcome.PASSED
    assert found[Step.DENY] is not Outcome.FAILED
    assert found[Step.RIGHT] is Outcome.FAILED
    assert found[Step.COMPANY] is Outcome.NOT_JUDGED
    (step,) = [one for one in told.findings if one.step is Step.RIGHT]
    assert step.rule == "right:r-1"


def test_replay_that_comes_to_another_step_is_said(snapshot: Snapshot) -> None:
    told = explanation_of(event("no_right", person="p2"), snapshot, "0.3")
    assert not told.alike
    assert outcomes(told)[Step.RIGHT] is Outcome.FAILED


def test_what_only_the_gateway_knew_counts_as_it_said_it(snapshot: Snapshot) -> None:
    told = explanation_of(event("interlock", rule="interlock:room", detail="too warm"), snapshot, "0.3")
    assert told.alike
    found = outcomes(told)
    assert found[Step.INTERLOCK] is Outcome.FAILED
    assert found[Step.LOCK_DOWN] is Outcome.PASSED
    assert found[Step.RIGHT] is Outcome.FAILED
    assert found[Step.MANTRAP] is Outcome.NOT_JUDGED


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_reason_is_shown_in_plain_words_with_its_step(
    snapshot: Snapshot, reason: Reason, code: str
) -> None:
    speaks = language(code)
    for known in (snapshot, None):
        told = explanation_of(event(reason.value), known, "0.3")
        assert told.step is STEP_OF[reason]
        (decided,) = [one for one in told.findings if one.step is STEP_OF[reason]]
        assert decided.outcome is (Outcome.PASSED if reason in GRANTS else Outcome.FAILED)
        views = step_views(told, speaks)
        assert len(views) == len(Step)
        assert any(one.said == sentence(reason, code) for one in views)
    (view,) = event_views([event(reason.value)], {"p1": "Anna"}, {"front": "Front door"}, language=speaks)
    assert view.said == sentence(reason, code)
    assert (view.door, view.who) == ("Front door", "Anna · p1")


def test_reason_of_another_version_is_shown_as_it_came(snapshot: Snapshot) -> None:
    told = explanation_of(event("moon_phase"), snapshot, "0.3")
    assert told.reason is None
    assert not told.alike
    (view,) = event_views([event("moon_phase")], {}, {}, language=language("en"))
    assert view.said == "moon_phase"


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        *(("0.3", Revision(0, 3)), ("2.17", Revision(2, 17)), ("", None), ("3", None), ("a.b", None)),
        *(("-1.2", None), ("1.99999999999", None), ("1.2.3", None)),
    ],
)
def test_revision_is_read_as_the_gateway_writes_it(text: str, revision: Revision | None) -> None:
    assert revision_of(text) == revision


def test_steps_that_are_replayed_ask_for_nothing_but_rights_and_time() -> None:
    assert {Step.PASSBACK, Step.OCCUPANCY, Step.COMPANY, Step.MANTRAP, Step.INTERLOCK}.isdisjoint(REPLAYED)
