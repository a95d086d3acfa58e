"""The tables that are signed, `docs/explanation/access.md`, say what the code does, row by row."""

import re
from pathlib import Path

import pytest

from rules.access import Reason, Refusal, Step, WorkReason, sentence
from rules.access.reasons import GRANTS, STEP_OF
from tests.rules.access.cases import CASES
from tests.rules.access.world import World

PAGE = (Path(__file__).parents[3] / "docs/explanation/access.md").read_text("utf-8")
ACCESS_EVENTS = frozenset(
    re.findall(
        r"\w+",
        """
        GRANTED OUT_OF_SERVICE VERIFICATION_REQUIRED DENIED_DENY_ALL DENIED_UNKNOWN_CREDENTIAL
        DENIED_AUTHENTICATION_UNAVAILABLE DENIED_AUTHENTICATION_FACTOR_TIMEOUT
        DENIED_INCORRECT_AUTHENTICATION_FACTOR DENIED_ZONE_NO_ACCESS_RIGHTS DENIED_POINT_NO_ACCESS_RIGHTS
        DENIED_NO_ACCESS_RIGHTS DENIED_OUT_OF_TIME_RANGE DENIED_THREAT_LEVEL DENIED_PASSBACK
        DENIED_UNEXPECTED_LOCATION_USAGE DENIED_MAX_ATTEMPTS DENIED_UPPER_OCCUPANCY_LIMIT
        DENIED_AUTHENTICATION_FACTOR_LOST DENIED_AUTHENTICATION_FACTOR_STOLEN
        DENIED_AUTHENTICATION_FACTOR_DAMAGED DENIED_AUTHENTICATION_FACTOR_DISABLED
        DENIED_AUTHENTICATION_FACTOR_ERROR DENIED_CREDENTIAL_UNASSIGNED DENIED_CREDENTIAL_NOT_PROVISIONED
        DENIED_CREDENTIAL_NOT_YET_ACTIVE DENIED_CREDENTIAL_EXPIRED DENIED_CREDENTIAL_MANUAL_DISABLE
        DENIED_CREDENTIAL_DISABLED DENIED_NO_ACCOMPANIMENT DENIED_INCORRECT_ACCOMPANIMENT DENIED_LOCKOUT
        DENIED_VERIFICATION_FAILED DENIED_OTHER
        """,
    )
)
"""Of BACnetAccessEvent, those that this page uses."""


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


DECISIONS = rows("The decision")
WORK = rows("Equipment")


def test_every_reason_stands_in_one_row_and_in_the_order_of_the_code() -> None:
    assert [row[1].strip("`") for row in DECISIONS] == [reason.value for reason in Reason]
    assert [row[1].strip("`") for row in WORK] == [reason.value for reason in WorkReason]
    assert [int(row[0]) for row in WORK] == list(range(1, len(WorkReason) + 1))


def test_steps_stand_in_the_order_in_which_they_are_asked() -> None:
    steps = [re.fullmatch(r"(\d+) `(\w+)`", row[0]) for row in DECISIONS]
    found = [(int(one[1]), one[2]) for one in steps if one is not None]
    assert len(found) == len(DECISIONS)
    assert found == sorted(found)
    assert list(dict.fromkeys(found)) == list(enumerate(Step, 1))


@pytest.mark.requirement("G-6.4b", "H-4.3.2b")
@pytest.mark.parametrize("row", DECISIONS, ids=[row[1].strip("`") for row in DECISIONS])
def test_row_is_what_the_code_does_and_says(row: list[str]) -> None:
    step, word, when, event, english, chinese = row
    reason = Reason(word.strip("`"))
    assert step.split("`")[1] == STEP_OF[reason]
    assert when
    assert event in ACCESS_EVENTS
    assert (reason in GRANTS) == (event == "GRANTED")
    assert (english, chinese) == (sentence(reason, "en"), sentence(reason, "zh"))
    if reason in CASES:
        world = World()
        CASES[reason](world)
        decision = world.decide()
        assert (decision.reason, decision.step) == (reason, step.split("`")[1])
        assert decision.granted == (event == "GRANTED")


@pytest.mark.parametrize("row", WORK, ids=[row[1].strip("`") for row in WORK])
def test_row_of_equipment_is_what_the_code_says(row: list[str]) -> None:
    _, word, when, english, chinese = row
    reason = WorkReason(word.strip("`"))
    assert when
    assert (english, chinese) == (sentence(reason, "en"), sentence(reason, "zh-CN"))


def test_every_way_of_refusing_rights_is_told() -> None:
    assert [row[0].strip("`") for row in rows("Rights that come in")] == [one.value for one in Refusal]


def test_sentences_are_whole_and_differ() -> None:
    for language, end in (("en", "."), ("zh", "。")):
        found = [sentence(reason, language) for reason in Reason]
        assert all(text.endswith(end) for text in found)
        assert len(set(found)) == len(found)
    assert sentence(Reason.GRANTED, "fr") == sentence(Reason.GRANTED, "en")


IN_CREDENTIAL = (
    *(Reason.KEY_OTHER, Reason.FACTOR_NOT_ACCEPTED, Reason.CREDENTIAL_LOST, Reason.CREDENTIAL_EXPIRED),
    *(Reason.PERSON_SUSPENDED, Reason.PERSON_EXPIRED),
)


@pytest.mark.parametrize(
    ("above", "below"),
    [(one, other) for place, one in enumerate(IN_CREDENTIAL) for other in IN_CREDENTIAL[place + 1 :]],
)
def test_within_a_step_the_upper_row_counts(above: Reason, below: Reason) -> None:
    world = World()
    CASES[below](world)
    CASES[above](world)
    assert world.decide().reason is above
