"""What pages of interlocks show and let be done: never green when nobody knows, what is missing by name."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cloud.command_rules import PERMISSIONS
from cloud.web.interlocks_words import COMMANDS, REFUSALS, SENTENCES, STATES
from rules import command
from rules.interlock import reasons
from rules.permissions import Grant, Role
from tests.cloud.identity.asking import World, open_world
from tests.cloud.identity.world import NOW
from wire.codec import encode_body
from wire.control import (
    BypassNow,
    CauseNow,
    ControlStatus,
    EffectNow,
    GroupNow,
    InterlockNow,
    UnmetNow,
    VoteNow,
)

pytestmark = pytest.mark.requirement("G-6.9b", "G-6.11")
PAGE = "/interlocks/here-gateway/here-room"
FORM = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def world(lab: Any) -> Iterator[World]:
    with open_world(lab) as opened:
        opened.lab.execute(
            "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
            " SELECT 1, p.id, 'activity', 'interlock.' || r, '[2020-01-01,)' FROM people p,"
            " unnest(ARRAY['acknowledge', 'reset', 'enable', 'bypass']) r WHERE p.number = 'asker'"
        )
        yield opened


def tell(world: World, phase: str, *, age_s: float = 2, **more: Any) -> None:
    """Have the gateway say how its interlock stands."""
    causes = (
        CauseNow(
            name="too-hot", group="air", words="air above 24 °C", state="voting", votes=True, value="25.1"
        ),
        CauseNow(
            name="humid", group="air", words="air above 60 %", state="normal", value="48", uncertainty="2"
        ),
    )
    given: dict[str, Any] = {
        "causes": causes,
        "groups": (GroupNow(name="air", needed=1, of=2, votes=1),),
        "effects": (EffectNow(kind="lock_entry", target="door-2", safe=True, confirmed=True),),
        "first_out": ("too-hot",),
        "first_votes": (VoteNow(name="too-hot", reason="stale", words="air: no good reading for 15 s"),),
        "worst_s": 31.55,
        "breach_s": 3.55,
        "breach": 3,
    }
    now = InterlockNow(name="here-room", title="Room", rule="r", phase=phase, **(given | more))
    said = ControlStatus(gateway="here-gateway", boot=bytes(16), tick=2, interlocks=(now,))
    at = NOW - timedelta(seconds=age_s)
    world.lab.execute("UPDATE commands SET issued_at = issued_at - interval '1 hour'")
    world.lab.execute(
        "UPDATE control_status SET body = %s, received_at = %s, heard_at = %s WHERE gateway_id ="
        " (SELECT id FROM gateways WHERE name = 'here-gateway')",
        *(encode_body(said), at, at),
    )


def look(world: World, path: str = PAGE, *, role: Role = Role.SAFETY, language: str = "en") -> str:
    world.token(Grant(role, 1))
    answer = world.ask(f"{path}?lang={language}", cookies=world.session())
    assert answer.status_code == 200, answer.text
    return answer.text


def send(world: World, path: str = PAGE, *, role: Role = Role.SAFETY, **form: Any) -> Any:
    world.token(Grant(role, 1))
    return world.ask(path, method="POST", cookies=world.session(), data=form, headers=FORM)


def badges(page: str) -> set[str]:
    return set(re.findall(r'class="state ([a-z]+)"', page))


def button(page: str, do: str) -> str:
    found = re.search(rf'<button[^>]*id="do-{do}"[^>]*>', page)
    assert found is not None
    return found[0]


def test_gateway_that_is_not_heard_is_not_known_and_nothing_is_green(world: World) -> None:
    tell(world, "healthy", age_s=31)
    page = look(world)
    assert "Nobody knows how the interlock stands" in page
    assert "good" not in badges(page)
    assert "unmonitored" in badges(page)
    assert "good" not in badges(look(world, "/interlocks"))
    assert "联锁的状态不可知" in look(world, language="zh")


def test_matrix_shows_causes_votes_values_effects_and_first_out(world: World) -> None:
    tell(world, "tripped")
    page = look(world)
    for words in (
        "air above 24 °C",
        "1 / 1 votes",
        "25.1",
        "± 2",
        "locks entry door-2",
        "first out",
        "31.55 s",
        "3.55 s at most",
    ):
        assert words in page, words
    assert "It is no certified safety function" in page
    assert "投票动作" in look(world, language="zh")


def test_what_tripped_is_said_in_the_language_of_the_page(world: World) -> None:
    tell(world, "tripped")
    for path in (PAGE, "/interlocks"):
        assert "air: 已 15 s 没有有效读数" in look(world, path, language="zh")
        assert "air: no good reading for 15 s" in look(world, path)


def test_what_tripped_is_named_where_an_older_gateway_did_not_tell_why(world: World) -> None:
    """That its limit was broken is not known then, so it is not said."""
    tell(world, "tripped", first_votes=())
    page = look(world, "/interlocks")
    assert "too-hot" in page
    assert "air above 24 °C" not in page


def missing(page: str) -> str:
    """Return the list of what is missing before a reset."""
    begins = page.index('<ul class="unmet"')
    return page[begins : page.index("</ul>", begins)]


def test_what_is_not_steady_is_named_with_value_and_limit_and_no_countdown_runs(world: World) -> None:
    words = "spread 0.41 °C is above 0.4 °C; rate of change 42 °C/h is above 30 °C/h"
    outside = UnmetNow(reason="not_steady", cause="t", remaining_s=20.0, words=words)
    tell(world, "tripped", unmet=(outside,))
    page = look(world)
    assert f"it is not steady: <span>{words}</span>" in page
    assert "then 20 s inside without a break" in page
    assert 'class="countdown"' not in missing(page)
    assert "极差 0.41 °C 高于 0.4 °C；变化率 42 °C/h 高于 30 °C/h" in look(world, language="zh")
    tell(world, "tripped", unmet=(UnmetNow(reason="steadying", cause="t", remaining_s=9.0, words=words),))
    page = look(world)
    assert 'class="countdown"' in missing(page)
    assert f"begun anew after: <span>{words}</span>" in page


def test_cause_that_votes_says_why_beside_what_it_watches(world: World) -> None:
    said = "air was 25.1 °C, above 24 °C"
    watched = CauseNow(
        name="too-hot", group="air", words="air above 24 °C", state="voting", votes=True, said=said
    )
    tell(world, "tripped", causes=(watched,), first_out=("@asked",))
    assert said in look(world)
    assert "air 为 25.1 °C,高于 24 °C" in look(world, language="zh")


def test_what_is_missing_before_a_reset_is_named_beside_the_disabled_button(world: World) -> None:
    tell(
        world,
        "tripped",
        unmet=(UnmetNow(reason="out", cause="too-hot"), UnmetNow(reason="not_acknowledged")),
    )
    page = look(world)
    assert "disabled" in button(page, "reset")
    assert "disabled" not in button(page, "acknowledge")
    assert "disabled" not in button(page, "trip")
    assert "<strong>too-hot</strong>: it is out of bounds" in page
    assert 'id="why-reset">it is out of bounds' in page
    assert 'id="why-enable">the interlock has to be reset first' in page


def test_countdowns_run_from_when_they_were_told(world: World) -> None:
    bypass = BypassNow(cause="humid", by="a", second="b", reason="filter", remaining_s=62)
    tell(
        world,
        "tripped",
        unmet=(UnmetNow(reason="off_delay", cause="too-hot", remaining_s=12),),
        bypasses=(bypass,),
    )
    page = look(world)
    assert re.findall(r'class="countdown" data-ends="\d+">([\d:]+)<', page)[:2] == ["0:10", "1:00"]
    assert "filter (a, b)" in page


def test_viewer_sees_everything_and_may_trip_alone(world: World) -> None:
    tell(world, "tripped")
    page = look(world, role=Role.VIEWER)
    assert "disabled" in button(page, "acknowledge")
    assert "disabled" not in button(page, "trip")
    assert 'name="minutes"' not in page


def test_acknowledgement_is_asked_and_stands_in_the_history(world: World) -> None:
    tell(world, "tripped")
    answer = send(world, do="acknowledge", breach="3", comment="seen", key="k-1")
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    page = look(world)
    assert "On its way, no receipt yet" in page
    again = send(world, do="acknowledge", breach="3", comment="seen", key="k-1")
    assert again.status_code == 303
    rows = world.lab.execute("SELECT arguments FROM commands WHERE name = 'interlock.acknowledge'")
    assert rows == [({"breach": 3, "comment": "seen", "interlock": "here-room"},)]


def test_what_is_refused_at_the_hub_is_told_on_the_page(world: World) -> None:
    tell(world, "tripped")
    answer = send(world, do="acknowledge", breach="2")
    assert answer.status_code == 422
    assert "Not done: another breach came in between" in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {"do": "acknowledge", "breach": "many"},
        {"do": "bypass", "cause": "humid", "reason": "", "minutes": "5"},
        {"do": "bypass", "cause": "humid", "reason": "x", "minutes": "-5"},
    ],
)
def test_form_with_a_fault_changes_nothing(world: World, form: dict[str, str]) -> None:
    tell(world, "tripped")
    before = world.lab.execute("SELECT count(*) FROM commands")
    assert send(world, **form).status_code == 422
    assert world.lab.execute("SELECT count(*) FROM commands") == before


POWER = EffectNow(kind="isolate_power", target="doors/power", safe=True, confirmed=True)


def test_trip_that_cuts_power_asks_back_once_and_stays_open_to_all_who_see_it(world: World) -> None:
    tell(world, "tripped", effects=(POWER,))
    page = look(world, role=Role.VIEWER)
    asked = page[page.index('<details id="ask-trip">') : page.index("</details>")]
    assert "The power of doors/power is cut." in asked
    assert 'name="reason"' in asked
    assert "disabled" not in button(page, "trip")
    assert send(world, do="trip", role=Role.VIEWER).status_code == 303
    tell(world, "tripped")
    assert "ask-trip" not in look(world)


def test_second_person_sees_what_stands_and_what_follows(world: World) -> None:
    world.lab.execute("TRUNCATE commands CASCADE")
    tell(world, "reset", effects=(POWER,), causes=())
    assert send(world, do="enable", breach="3", key="first").status_code == 303
    ((command,),) = world.lab.execute("SELECT encode(id, 'hex') FROM commands")
    assert send(world, do="enable", breach="3", key="more").headers["location"] == f"/commands/{command}"
    assert f'<a href="/commands/{command}">Enable: waits for a second person</a>' in look(world)
    page = look(world, f"/commands/{command}")
    for said in (
        ">Room</a>",
        "Reset, not enabled",
        "The power of doors/power comes back.",
        "no good reading",
    ):
        assert said in page
    tell(world, "reset", effects=(POWER,), causes=(), age_s=60)
    assert "Nobody knows how the interlock stands" in look(world, f"/commands/{command}")
    world.lab.execute("TRUNCATE commands CASCADE")


def test_what_the_gateway_refused_says_why_in_every_history(world: World) -> None:
    world.lab.execute("TRUNCATE commands CASCADE")
    tell(world, "tripped")
    assert send(world, do="trip", reason="a drill").status_code == 303
    ((command,),) = world.lab.execute("SELECT encode(id, 'hex') FROM commands")
    world.lab.execute(
        "INSERT INTO command_receipts (organisation_id, command_id, gateway_id, state, reason, text,"
        " received_at, from_journal) SELECT organisation_id, id, gateway_id, 'refused', 'not_tripped',"
        " 'the clock is <late>', now(), true FROM commands"
    )
    world.lab.execute("UPDATE commands SET outcome = 'refused'")
    for path in (PAGE, f"/commands/{command}", "/gateways/here-gateway/commands"):
        assert "the interlock is not tripped: the clock is &lt;late&gt;" in look(world, path), path
        assert "联锁未动作" in look(world, path, language="zh"), path
    world.lab.execute("TRUNCATE commands CASCADE")


def options(page: str, which: str) -> list[str]:
    found = re.search(rf'id="{which}">(.*?)</select>', page, re.DOTALL)
    return re.findall(r"<option[^>]*>([^<]*)</option>", found[1]) if found else []


def test_bypass_and_check_are_offered_for_causes_for_which_they_can_be(world: World) -> None:
    given = {"group": "air", "state": "normal"}
    causes = (
        CauseNow(name="free", **given, bypassable=True, check_due=False),
        CauseNow(name="fixed", **given, bypassable=False, check_due=False),
        CauseNow(name="checked", **given, bypassable=False, check_due=True),
    )
    tell(world, "tripped", causes=causes)
    page = look(world)
    assert (options(page, "bypass-cause"), options(page, "check-cause")) == (["free"], ["checked"])
    tell(world, "tripped", causes=causes[1:2])
    page = look(world)
    assert (options(page, "bypass-cause"), options(page, "check-cause")) == ([], [])
    assert "No cause of it may be bypassed now" in page
    assert "No device waits for its check." in page
    answer = send(world, do="bypass", cause="fixed", reason="x", minutes="5")
    assert (answer.status_code, "this cause may not be bypassed" in answer.text) == (422, True)


def test_bypass_waits_on_the_list_for_a_second_person_who_is_not_the_first(world: World) -> None:
    tell(world, "healthy")
    assert send(world, do="bypass", cause="humid", reason="filter", minutes="30").status_code == 303
    page = look(world, "/interlocks")
    assert "Waits for a second person" in page
    ((identity,),) = world.lab.execute(
        "SELECT encode(id, 'hex') FROM commands WHERE arguments ->> 'reason' = 'filter'"
    )
    one = look(world, f"/commands/{identity}")
    assert "you asked for it yourself" in one
    assert send(world, f"/commands/{identity}/approval").status_code == 403
    assert identity in look(world, "/gateways/here-gateway/commands")


def test_pages_of_what_is_not_there_are_not_there(world: World) -> None:
    world.token(Grant(Role.SAFETY, 1))
    for path in (
        "/interlocks/here-gateway/none",
        "/interlocks/none/none",
        "/commands/xyz",
        "/interlocks/here-gateway/none/proof",
        "/interlocks/here-gateway/none/rehearsal",
    ):
        assert world.ask(path, cookies=world.session()).status_code == 404, path
    assert send(world, do="explode").status_code == 404


def test_rehearsal_answers_line_by_line(world: World) -> None:
    form = {"from": "2026-01-01T08:00", "to": "2026-01-01T09:00", "text": ""}
    answer = send(world, f"{PAGE}/rehearsal", **form)
    lines = [line for line in answer.text.splitlines() if line]
    assert lines[0] == '{"done":0.0}'
    assert '"judged_from"' in lines[-1]
    refused = send(world, f"{PAGE}/rehearsal", **{**form, "text": "[["})
    assert refused.text.startswith('{"refused":"rule: expected TOML')


def test_every_reason_and_command_has_the_words_of_its_rule() -> None:
    assert {reason.value: words for reason, words in reasons.SENTENCES.items()} == SENTENCES
    for reason, words in command.SENTENCES.items():
        assert {**REFUSALS, **SENTENCES}[reason.value] == words
    assert set(COMMANDS) == set(command.KINDS) == set(PERMISSIONS)
    assert "unknown" in STATES
