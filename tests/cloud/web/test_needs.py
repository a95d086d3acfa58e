"""What needs attention: what is tripped, open, held, still honoured or not told is a line, never green."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cloud.store.commands import Command
from cloud.store.control_status import Held
from cloud.store.latest import Latest
from cloud.store.needs import HeldJob, HubStanding, OpenAlarm, Unhonoured, Waiting
from cloud.store.points import Point
from cloud.store.sites import Gateway, Site
from cloud.web.language import language
from cloud.web.needs import ALL, NOTHING, Needs, Sight, needs_of
from cloud.web.needs_view import FEW, need_list
from cloud.web.overview import figures, site_kinds
from cloud.web.standing import site_kind
from rules.permissions import Permission
from wire.control import BypassNow, CauseNow, ControlStatus, FaultNow, InterlockNow, VoteNow

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
AGO = NOW - timedelta(minutes=5)
SITE = Site(1, "institute", "lab-1", "Mass", "laboratory", "Asia/Shanghai", None, None, 1, 1, 1, NOW)
GATEWAY = Gateway(1, "institute", "gw-1", 1, "lab-1", True, NOW, None, NOW, NOW)
POINT = Point(5, 1, 1, "lab-1", "room-1/air/temperature", "temperature", "analog", {}, -3, 1000, NOW)
FRESH = Latest(POINT, "live", NOW, "20", "20", None, "good", 0.0)
ALARM = OpenAlarm(7, 1, "lab-1", "room-1/air/temperature", "", "hihi", False, False, True, AGO, 1)
BYPASS = BypassNow(cause="hot", by="a", second="b", reason="filter", remaining_s=60)


def held(phase: str = "healthy", *, heard_at: datetime | None = NOW, **more: object) -> Held:
    """A gateway that tells of one interlock."""
    now = InterlockNow(name="room 1", title="Room 1", rule="r", phase=phase, breach=1, **more)
    status = ControlStatus(gateway="gw-1", boot=bytes(16), tick=1, interlocks=(now,))
    return Held(1, 1, "gw-1", 1, "lab-1", "Mass", "Asia/Shanghai", status, NOW, heard_at)


def site_of(waiting: Waiting) -> str:
    needs = needs_of(waiting, [FRESH], now=NOW)
    return site_kinds([SITE], [GATEWAY], [FRESH], needs=needs, now=NOW)[1]


def test_site_of_which_nothing_is_known_to_be_wrong_is_green() -> None:
    assert site_of(Waiting(held=(held(),))) == "online"


@pytest.mark.parametrize(
    ("waiting", "kind"),
    [
        (Waiting(held=(held("tripped"),)), "attention"),
        (Waiting(held=(held("ready_to_reset"),)), "attention"),
        (Waiting(held=(held("reset"),)), "attention"),
        (Waiting(held=(held(bypasses=(BYPASS,)),)), "attention"),
        (Waiting(held=(held("a phase of the next version"),)), "attention"),
        (Waiting(held=(held("starting"),)), "unknown"),
        (Waiting(held=(held(heard_at=None),)), "unknown"),
        (Waiting(held=(held(heard_at=NOW - timedelta(seconds=30.001)),)), "unknown"),
        (Waiting(hub_interlocks=(HubStanding(3, 1, "van", "tripped", AGO, NOW),)), "attention"),
        (Waiting(hub_interlocks=(HubStanding(3, 1, "van", "healthy", None, AGO),)), "unknown"),
        (Waiting(hub_interlocks=(HubStanding(3, 1, "van", "healthy", None, NOW),)), "online"),
        (Waiting(alarms=(ALARM,)), "attention"),
        (Waiting(alarms=(replace(ALARM, acknowledged=True, urgent=True),)), "attention"),
        (Waiting(jobs=(HeldJob(4, 1, "J-1", "room-1", AGO),)), "attention"),
        (Waiting(rights=(Unhonoured("gw-1", 1, "lab-1", AGO),)), "attention"),
    ],
)
def test_what_waits_for_a_person_or_is_not_known_is_never_green(waiting: Waiting, kind: str) -> None:
    assert site_of(waiting) == kind


def test_line_says_what_where_since_when_and_where_it_is_settled() -> None:
    waiting = Waiting(
        held=(held("tripped", tripped_at_ms=round(AGO.timestamp() * 1000)),),
        alarms=(ALARM,),
        jobs=(HeldJob(4, 1, "J-1", "room-1", AGO),),
        rights=(Unhonoured("gw-1", 1, "lab-1", AGO),),
    )
    told = need_list(needs_of(waiting, [], now=NOW), [SITE], language("en"), now=NOW)
    assert told.total == len(told.lines) == 4
    assert {one.since for one in told.lines} == {"since 15:55:00 +08:00"}
    assert [(one.word, one.text, one.where, one.href) for one in told.lines] == [
        ("Tripped", "Interlock: Room 1", "gw-1 · Mass", "/interlocks/gw-1/room%201"),
        ("Held", "Job J-1", "room-1 · Mass", "/jobs/4"),
        (
            "may still be honoured",
            "Ended cards or rights, at gateway gw-1",
            "Mass",
            "/doors/gateways?site=lab-1",
        ),
        ("Unacknowledged", "Very high: room-1/air/temperature", "Mass", "/alarms?only=lab-1#alarm-7"),
    ]
    chinese = need_list(needs_of(waiting, [], now=NOW), [SITE], language("zh"), now=NOW)
    assert chinese.lines[0].text == "联锁：Room 1"
    assert chinese.lines[3].text == "过高（上上限）：room-1/air/temperature"


def test_interlock_says_what_tripped_it_in_the_language_of_the_page() -> None:
    causes = (
        CauseNow(name="hot", group="air", words="air above 24 °C for 5 s", state="voting", value="25.1"),
        CauseNow(name="odd", group="air", words="a word of the next version", state="normal"),
    )
    votes = (
        VoteNow(name="hot", reason="beyond", words="air was 25.1 °C, above 24 °C"),
        VoteNow(name="@restart"),
        VoteNow(name="odd", words="a word of the next version"),
    )
    first = {"first_out": ("hot", "@restart", "gone", "odd"), "first_votes": votes}
    one = held("tripped", causes=causes, **first)
    needs = needs_of(Waiting(held=(one,)), [], now=NOW)
    (line,) = need_list(needs, [SITE], language("zh"), now=NOW, one_site=True).lines
    assert line.where == "air 为 25.1 °C,高于 24 °C, 网关重新启动, gone, a word of the next version · gw-1"
    (line,) = need_list(needs, [SITE], language("en"), now=NOW, one_site=True).lines
    assert line.where.startswith("air was 25.1 °C, above 24 °C, the gateway was started again, gone, ")
    cooler = held("tripped", causes=(replace_value(causes[0]), causes[1]), **first)
    assert needs_of(Waiting(held=(cooler,)), [], now=NOW) == needs, "a value alone makes nothing new"


def replace_value(cause: CauseNow) -> CauseNow:
    return msgspec.structs.replace(cause, value="24.9")


def test_gateway_that_falls_silent_takes_nothing_with_it_that_it_told() -> None:
    """What it told last is no state of now: neither healthy nor tripped."""
    one = held("tripped", heard_at=AGO)
    (need,) = needs_of(Waiting(held=(one,)), [], now=NOW).found
    assert (need.severity, need.word, need.since) == ("unknown", "Not known", AGO)
    assert needs_of(Waiting(held=(replace(one, site_id=None),)), [], now=NOW) == NOTHING


def test_storm_of_alarms_is_counted_and_a_few_are_shown() -> None:
    few = tuple(replace(ALARM, id=number, at_site=10_000) for number in range(1, FEW + 1))
    needs = needs_of(Waiting(alarms=few, held=(held("tripped"),)), [], now=NOW)
    told = need_list(needs, [SITE], language("en"), now=NOW, one_site=True)
    assert told.total == 10_001
    assert len(told.lines) == 1 + FEW + 1
    assert (told.lines[-1].text, told.lines[-1].href) == (
        "and 9\N{NARROW NO-BREAK SPACE}992 more alarms",
        "/alarms?only=lab-1",
    )
    assert told.lines[-1].word == ""


def test_many_of_a_group_over_many_sites_stay_few_lines_that_count_all() -> None:
    sites = [replace(SITE, id=number, name=f"lab-{number}") for number in range(1, 31)]
    jobs = tuple(HeldJob(number, number, f"J-{number}", "room-1", AGO) for number in range(1, 31))
    told = need_list(needs_of(Waiting(jobs=jobs), [], now=NOW), sites, language("en"), now=NOW)
    assert (told.total, len(told.lines)) == (30, FEW + 1)
    assert told.lines[-1].text == f"and {30 - FEW} more held jobs"


def test_what_may_not_be_seen_is_neither_told_nor_counted() -> None:
    waiting = Waiting(held=(held("tripped"),), alarms=(replace(ALARM, at_site=500),))
    needs = needs_of(waiting, [FRESH], now=NOW)
    assert needs.seen(ALL) == needs
    nothing = needs.seen(Sight({Permission.READINGS_READ: None, Permission.CONTROL_READ: frozenset({2})}))
    assert nothing == Needs()
    alarms = needs.seen(Sight({Permission.ALARMS_READ: frozenset({1})}))
    assert need_list(alarms, [SITE], language("en"), now=NOW).total == 500
    assert need_list(needs.seen(ALL, 2), [SITE], language("en"), now=NOW).total == 0


def test_site_that_is_not_heard_is_suspected_and_one_without_gateway_can_need_attention() -> None:
    lost = replace(GATEWAY, online=False)
    assert site_kind([lost], [FRESH], NOW, needs={"attention"}) == "suspected"
    assert site_kind([], [], NOW, needs={"attention"}) == "attention"
    assert site_kind([], [], NOW, needs={"unknown"}) == "unmonitored"
    counts = figures({1: "unknown"}, language("en"), silent=0)
    assert {one.key: one.count for one in counts}["unknown"] == 1


def test_supply_on_battery_is_a_line_too() -> None:
    power = replace(POINT, id=6, name="ups/power", kind="state", states={"1": "mains", "2": "battery"})
    on_battery = replace(FRESH, point=power, word="battery")
    told = need_list(needs_of(Waiting(), [on_battery], now=NOW), [SITE], language("en"), now=NOW)
    (line,) = told.lines
    assert (line.word, line.text, line.href) == ("On battery", "ups", "/sites/lab-1#chart-6")
    assert (line.since, line.at) == ("", None)


def command(number: int, name: str = "interlock.enable", **more: object) -> Command:
    """A command that waits for a second person, asked for by ann."""
    given = {one.name: None for one in fields(Command)}
    given |= {"id": f"{number:032x}", "number": number, "gateway": "gw-1", "gateway_id": 1, "site_id": 1}
    given |= {"organisation_id": 1, "arguments": {"interlock": "room 1", "breach": 2}, "asker": "ann"}
    return Command(**given | {"name": name, "asked_at": AGO, "approve_until": NOW} | more)


def test_gateway_whose_control_is_broken_says_what_fails_in_plain_words() -> None:
    at_ms = round(AGO.timestamp() * 1000)
    parts = ("interlock output doors/source: safe", "output doors/source", "a part of the next version")
    faults = tuple(FaultNow(part=one, reason="TypeError: x", at_ms=at_ms) for one in (*parts, "commands"))
    one = held()
    broken = replace(one, status=msgspec.structs.replace(one.status, faults=faults))
    assert site_of(Waiting(held=(broken,))) == "attention"
    needs = needs_of(Waiting(held=(broken,)), [], now=NOW)
    (line,) = need_list(needs, [SITE], language("en"), now=NOW, one_site=True).lines
    assert (line.word, line.text, line.since, line.href) == (
        "Control is broken",
        "Control of gateway gw-1",
        "since 15:55:00 +08:00",
        "/interlocks#broken-gw-1",
    )
    assert line.where == (
        "output doors/source: making it safe fails, output doors/source is not what it was told to be, "
        "a part of it fails: a part of the next version, and 1 more"
    )
    (line,) = need_list(needs, [SITE], language("zh"), now=NOW).lines
    assert line.where.startswith("输出 doors/source：无法置于安全状态, ")
    silent = replace(broken, heard_at=AGO)
    (line,) = need_list(needs_of(Waiting(held=(silent,)), [], now=NOW), [SITE], language("en"), now=NOW).lines
    assert line.word == "Not known"


def test_command_waits_for_those_alone_who_may_approve_it_and_did_not_ask_for_it() -> None:
    bypass = command(2, "interlock.bypass", arguments={"interlock": "room 1", "cause": "hot"})
    needs = needs_of(Waiting(commands=(command(1), bypass)), [FRESH], now=NOW)
    told = need_list(needs.seen(ALL), [SITE], language("en"), now=NOW)
    assert [(one.word, one.text, one.where, one.href) for one in told.lines] == [
        ("Waits for a second person", "Enable: room 1", "gw-1 · Mass", f"/commands/{1:032x}"),
        ("Waits for a second person", "Bypass a cause: room 1 · hot", "gw-1 · Mass", f"/commands/{2:032x}"),
    ]
    assert needs.seen(replace(ALL, who="ann")) == Needs()
    assert needs.asked_by("ann")
    assert not needs.asked_by("bob")
    head = Sight({Permission.COMMANDS_APPROVE: frozenset({1})}, "bob")
    assert [one.key for one in needs.seen(head).found] == [f"command-{1:032x}"]
    assert needs.seen(Sight({Permission.CONTROL_READ: None}, "bob")) == Needs()


def test_most_severe_stands_first_and_of_those_the_newest() -> None:
    earlier = AGO - timedelta(hours=1)
    alarms = (
        replace(ALARM, id=1, urgent=True, stands=False),
        replace(ALARM, id=2),
        replace(ALARM, id=3, urgent=True, onset=earlier),
        replace(ALARM, id=4, urgent=True),
        replace(ALARM, id=5, urgent=True, acknowledged=True),
    )
    jobs = (HeldJob(1, 1, "J-1", "room-1", earlier), HeldJob(2, 1, "J-2", "room-1", AGO))
    tripped = held("tripped", tripped_at_ms=round(AGO.timestamp() * 1000 - 60_000))
    waiting = Waiting(held=(tripped,), alarms=alarms, jobs=jobs, commands=(command(1),))
    assert [one.key for one in needs_of(waiting, [], now=NOW).found] == [
        *("job-2", "interlock-1-room%201", "job-1", f"command-{1:032x}"),
        *("alarm-4", "alarm-3", "alarm-5", "alarm-2", "alarm-1"),
    ]
