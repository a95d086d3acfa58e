"""Who may ask a gateway for what, what is refused at the hub already, and the second person."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from cloud import command_acts
from cloud.command_acts import Wish
from cloud.identity.acts import Act, ActError, ForbiddenError, MissingError
from cloud.identity.viewer import Origin, Viewer
from cloud.store import commands, control_status, needs, shadow
from cloud.store.commands import Command
from cloud.store.connection import Connection
from cloud.store.snapshot import ASKER, changing
from rules.permissions import Grant, Permission, Rights, Role
from tests.cloud.control.conftest import BOOT, NAME, ROOM, interlock, status
from wire.control import BypassNow, CauseNow, InterlockNow, UnmetNow

pytestmark = [pytest.mark.requirement("G-6.9d"), pytest.mark.usefixtures("_nothing_yet")]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Acting = Callable[[Act], Awaitable[Command]]


def tell(lab: Any, *interlocks: InterlockNow, age_s: float = 1.0, **more: Any) -> None:
    """Have the gateway say how things stand, a while ago."""

    async def told(connection: Connection) -> None:
        at = NOW - timedelta(seconds=age_s)
        owner = await shadow.owner(connection, NAME, at)
        assert owner is not None
        said = status(*interlocks, tick=int(100_000 - age_s * 100), **more)
        await control_status.keep(connection, owner, said, received_at=at, heard_at=at)

    lab.run(told)


def do(lab: Any, viewer: Viewer, acting: Acting, *, at: datetime = NOW) -> Command:
    """Act in a transaction."""

    async def done(connection: Connection) -> Command:
        async with connection.transaction():
            return await acting(Act(connection, viewer, at))

    found = lab.run(done)
    assert isinstance(found, Command)
    return found


def ask(
    lab: Any, viewer: Viewer, name: str, *, at: datetime = NOW, key: str | None = None, **more: Any
) -> Command:
    wish = Wish(NAME, name, {"interlock": ROOM, **more}, key=key)
    return do(lab, viewer, lambda act: command_acts.ask(act, wish), at=at)


def approve(lab: Any, viewer: Viewer, command: Command, *, at: datetime = NOW) -> Command:
    return do(lab, viewer, lambda act: command_acts.approve(act, bytes.fromhex(command.id)), at=at)


def audited(lab: Any, action: str) -> list[tuple[Any, ...]]:
    """Return actor and outcome of the rows that this test's acts wrote."""
    found = lab.execute(
        "SELECT actor, outcome FROM audit_log WHERE action = %s AND at >= %s ORDER BY id DESC LIMIT 3",
        action,
        NOW,
    )
    assert isinstance(found, list)
    return found


def test_deadline_is_told_in_ticks_of_the_boot_that_was_heard(lab: Any, people: Any) -> None:
    tell(lab, interlock("tripped", breach=1))
    sent = ask(lab, people["li"], "interlock.acknowledge", breach=1)
    assert (sent.boot, sent.not_after_tick) == (BOOT.hex(), 100_000 + 3000)
    assert (sent.incarnation, sent.fence, sent.state(NOW)) == (0, 1, "sent")


def test_deadline_is_wall_time_alone_where_the_gateway_was_not_heard(lab: Any, people: Any) -> None:
    tell(lab, interlock("tripped", breach=1), age_s=31)
    sent = ask(lab, people["li"], "interlock.acknowledge", breach=1)
    assert (sent.boot, sent.not_after_tick) == (None, None)
    assert sent.not_after == NOW + timedelta(seconds=30)


def test_without_a_receipt_it_is_unknown_from_its_deadline_on_and_never_done(lab: Any, people: Any) -> None:
    sent = ask(lab, people["li"], "interlock.trip")
    assert sent.state(NOW + timedelta(seconds=30)) == "sent"
    assert sent.state(NOW + timedelta(seconds=31)) == "unknown"
    assert replace(sent, outcome="accepted").state(NOW + timedelta(seconds=31)) == "unknown"
    assert replace(sent, outcome="executed").state(NOW + timedelta(days=1)) == "executed"


def test_fence_only_grows(lab: Any, people: Any) -> None:
    fences = [ask(lab, people["li"], "interlock.trip").fence for _ in range(3)]
    assert fences == [1, 2, 3]


@pytest.mark.parametrize(
    ("now", "name", "arguments", "word"),
    [
        (interlock("healthy"), "interlock.acknowledge", {"breach": 0}, "not_tripped"),
        (interlock("tripped", breach=4), "interlock.acknowledge", {"breach": 3}, "other_breach"),
        (
            interlock("tripped", breach=4, acknowledged_by="x"),
            "interlock.acknowledge",
            {"breach": 4},
            "already_acknowledged",
        ),
        (
            interlock("tripped", breach=4, unmet=(UnmetNow(reason="out", cause="too-hot"),)),
            "interlock.reset",
            {"breach": 4},
            "out",
        ),
        (interlock("tripped", breach=4), "interlock.enable", {"breach": 4}, "not_reset"),
        (interlock("reset", breach=4), "interlock.enable", {"breach": 3}, "other_breach"),
        (interlock(), "interlock.bypass", {"cause": "none", "reason": "x", "seconds": 60.0}, "unknown_cause"),
        (interlock(), "interlock.bypass", {"cause": "humid", "reason": "x", "seconds": 9e9}, "bad_duration"),
        (interlock(), "interlock.bypass", {"cause": "humid", "reason": " ", "seconds": 60.0}, "no_reason"),
        (
            interlock(causes=(CauseNow(name="humid", group="g", state="normal", bypassed=True),)),
            "interlock.bypass",
            {"cause": "humid", "reason": "x", "seconds": 60.0},
            "group_bypassed",
        ),
        (interlock(), "interlock.end_bypass", {"cause": "humid"}, "not_bypassed"),
        (
            interlock(causes=(CauseNow(name="humid", group="g", state="normal", bypassable=False),)),
            "interlock.bypass",
            {"cause": "humid", "reason": "x", "seconds": 60.0},
            "not_bypassable",
        ),
        (
            interlock(causes=(CauseNow(name="humid", group="g", state="normal", check_due=False),)),
            "interlock.pass_check",
            {"cause": "humid", "record": "x"},
            "no_check_due",
        ),
    ],
)
def test_what_the_newest_state_refuses_is_kept_as_refused_and_never_sent(
    lab: Any, people: Any, now: InterlockNow, name: str, arguments: dict[str, Any], word: str
) -> None:
    tell(lab, now)
    made = ask(lab, people["li"], name, **arguments)
    assert (made.refused, made.issued_at, made.state(NOW)) == (word, None, "not_sent")
    assert audited(lab, "command.ask")[0] == ("li", "refused")


def test_state_that_cannot_be_read_is_one_that_is_not_known(lab: Any, people: Any) -> None:
    tell(lab, interlock())
    lab.execute("UPDATE control_status SET body = 'of another version'")

    async def read(connection: Connection) -> control_status.Held | None:
        return await control_status.get_held(connection, NAME, NOW)

    held = lab.run(read)
    assert held is not None
    assert not held.is_known(NOW)
    assert held.tick_at(NOW) is None
    assert held.status.interlocks == ()


def test_what_is_not_known_is_left_to_the_gateway(lab: Any, people: Any) -> None:
    tell(lab, interlock("healthy"), age_s=40)
    assert ask(lab, people["li"], "interlock.acknowledge", breach=7).state(NOW) == "sent"


def test_state_from_before_the_last_command_refuses_nothing(lab: Any, people: Any) -> None:
    tell(lab, interlock("tripped", breach=4, unmet=(UnmetNow(reason="not_acknowledged"),)))
    assert ask(lab, people["li"], "interlock.acknowledge", breach=4).state(NOW) == "sent"
    assert ask(lab, people["li"], "interlock.reset", breach=4).state(NOW) == "sent"


def test_what_only_has_to_wait_a_second_more_is_sent(lab: Any, people: Any) -> None:
    soon = UnmetNow(reason="off_delay", cause="too-hot", remaining_s=0.5)
    tell(lab, interlock("ready_to_reset", breach=4, unmet=(soon,)))
    assert ask(lab, people["li"], "interlock.reset", breach=4).state(NOW) == "sent"


def test_output_that_an_interlock_holds_is_not_set(lab: Any, people: Any) -> None:
    tell(lab, interlock("tripped"))
    wish = Wish(NAME, "output.set", {"output": "room-2-door", "value": "1"})
    made = do(lab, people["li"], lambda act: command_acts.ask(act, wish))
    assert made.refused == "interlock"


def test_person_without_the_authorisation_is_refused_and_may_trip(lab: Any, people: Any) -> None:
    tell(lab, interlock("tripped", breach=1))
    assert ask(lab, people["zhao"], "interlock.acknowledge", breach=1).refused == "no_right"
    tripped = ask(lab, people["zhao"], "interlock.trip")
    assert (tripped.state(NOW), tripped.by) == ("sent", "n-zhao")


@pytest.mark.parametrize("state", ["suspended", "revoked"])
def test_person_who_is_suspended_asks_nothing_of_an_interlock(lab: Any, people: Any, state: str) -> None:
    tell(lab, interlock("tripped", breach=1))
    lab.execute(
        "INSERT INTO access_people (person_id, organisation_id, state)"
        " SELECT id, 1, %s FROM people WHERE number = 'n-wang'",
        state,
    )
    made = ask(lab, people["wang"], "interlock.acknowledge", breach=1)
    lab.execute("DELETE FROM access_people")
    assert made.refused == "no_right"


def test_account_without_the_permission_is_refused(lab: Any, people: Any) -> None:
    viewer = replace(people["li"], rights=Rights(frozenset({Grant(Role.VIEWER, 1)})))
    with pytest.raises(ForbiddenError, match=r"control\.handle"):
        ask(lab, viewer, "interlock.acknowledge", breach=1)
    assert lab.execute("SELECT count(*) FROM commands") == [(0,)]


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (Wish("nowhere", "interlock.trip", {"interlock": ROOM}), MissingError),
        (Wish(NAME, "interlock.explode", {}), ActError),
        (Wish(NAME, "interlock.acknowledge", {"interlock": ROOM, "breach": "4"}), ActError),
        (Wish(NAME, "interlock.trip", {"interlock": ROOM, "else": 1}), ActError),
        (Wish(NAME, "interlock.trip", {"interlock": "x" * 300}), ActError),
        (Wish(NAME, "interlock.trip", {"interlock": ROOM}, valid_s=601), ActError),
    ],
)
def test_command_that_makes_no_sense_is_refused_whole(
    lab: Any, people: Any, wish: Wish, error: type[ActError]
) -> None:
    with pytest.raises(error):
        do(lab, people["li"], lambda act: command_acts.ask(act, wish))
    assert lab.execute("SELECT count(*) FROM commands") == [(0,)]


def test_asked_again_with_the_same_key_it_is_the_same_command(lab: Any, people: Any) -> None:
    first = ask(lab, people["li"], "interlock.trip", key="k1")
    assert ask(lab, people["li"], "interlock.trip", key="k1").id == first.id
    assert ask(lab, people["wang"], "interlock.trip", key="k1").id != first.id
    with pytest.raises(ActError, match="key"):
        ask(lab, people["li"], "interlock.trip", key="k1", reason="another one")


BYPASS: dict[str, Any] = {"cause": "humid", "reason": "filter is changed", "seconds": 600.0}


def test_bypass_is_sent_once_another_person_approved_it(lab: Any, people: Any) -> None:
    tell(lab, interlock())
    waits = ask(lab, people["li"], "interlock.bypass", **BYPASS)
    assert (waits.state(NOW), waits.fence) == ("waiting", None)
    later = NOW + timedelta(minutes=4)
    sent = approve(lab, people["wang"], waits, at=later)
    assert (sent.by, sent.second, sent.state(later)) == ("n-li", "n-wang", "sent")
    assert sent.not_after == later + timedelta(seconds=30)
    assert audited(lab, "command.approve")[0] == ("wang", "done")
    with pytest.raises(ActError, match="one that waits"):
        approve(lab, people["wang"], waits, at=later)


def test_bypass_is_not_approved_by_who_asked_nor_by_who_may_not_nor_too_late(lab: Any, people: Any) -> None:
    tell(lab, interlock())
    waits = ask(lab, people["li"], "interlock.bypass", **BYPASS)
    token = replace(people["wang"], kind="token", login="wang/script")
    viewer = replace(people["wang"], rights=Rights(frozenset({Grant(Role.LABORATORY, 1)})))
    for who, why in (
        (people["li"], "another person"),
        (token, "session of their own"),
        (viewer, r"commands\.approve"),
        (people["zhao"], r"interlock\.bypass"),
    ):
        with pytest.raises(ForbiddenError, match=why):
            approve(lab, who, waits)
    with pytest.raises(ActError, match="lapsed"):
        approve(lab, people["wang"], waits, at=NOW + timedelta(minutes=5, seconds=1))
    assert lab.execute("SELECT count(*) FROM commands WHERE issued_at IS NOT NULL") == [(0,)]


def test_who_may_approve_is_told_what_waits_until_it_waits_no_more(lab: Any, people: Any) -> None:
    def waiting(viewer: Viewer, at: datetime = NOW) -> list[str]:
        ask_for = lab.run(
            lambda connection: needs.waiting_commands(connection, at, may=viewer.may, asker=viewer.login)
        )
        return [one.id for one in ask_for]

    tell(lab, interlock("reset", breach=4, power=True))
    asked = ask(lab, people["li"], "interlock.enable", breach=4)
    watcher = replace(people["wang"], login="look", rights=Rights(frozenset({Grant(Role.VIEWER, 1)})))
    elsewhere = replace(people["wang"], rights=Rights(frozenset({Grant(Role.SAFETY, 2)})))
    assert waiting(people["wang"]) == [asked.id]
    assert [waiting(one) for one in (people["li"], watcher, elsewhere)] == [[], [], []]
    assert waiting(people["wang"], NOW + timedelta(minutes=6)) == []


def test_what_waits_for_a_second_person_is_not_asked_for_twice(lab: Any, people: Any) -> None:
    tell(lab, interlock("reset", breach=4, power=True))
    first = ask(lab, people["li"], "interlock.enable", breach=4, key="a")
    assert ask(lab, people["li"], "interlock.enable", breach=4, key="b").id == first.id
    assert ask(lab, people["wang"], "interlock.enable", breach=4).id == first.id
    assert lab.execute("SELECT count(*) FROM commands") == [(1,)]
    later = NOW + timedelta(minutes=6)
    assert ask(lab, people["li"], "interlock.enable", breach=4, at=later).id != first.id


def test_bypass_that_its_rule_forbids_is_refused_whatever_happened_meanwhile(lab: Any, people: Any) -> None:
    bypass = {"cause": "humid", "reason": "x", "seconds": 60.0}
    tell(lab, interlock())
    asked = ask(lab, people["li"], "interlock.bypass", **bypass)
    assert asked.state(NOW) == "waiting"
    fixed = CauseNow(name="humid", group="g", state="normal", bypassable=False)
    tell(lab, interlock(causes=(fixed,)), age_s=0.5)
    ask(lab, people["li"], "interlock.trip")
    assert approve(lab, people["wang"], asked).refused == "not_bypassable"
    assert ask(lab, people["li"], "interlock.bypass", **bypass).refused == "not_bypassable"


def test_token_of_a_person_is_that_person(lab: Any, people: Any) -> None:
    tell(lab, interlock())
    token = replace(people["li"], kind="token", login="li/script")
    waits = ask(lab, token, "interlock.bypass", **BYPASS)
    with pytest.raises(ForbiddenError, match="another person"):
        approve(lab, people["li"], waits)


def test_what_is_refused_by_now_is_not_sent_when_it_is_approved(lab: Any, people: Any) -> None:
    tell(lab, interlock())
    waits = ask(lab, people["li"], "interlock.bypass", **BYPASS)
    held = BypassNow(cause="too-hot", by="a", second="b", reason="c", remaining_s=60)
    causes = tuple(
        CauseNow(name=name, group="climate", state="normal", bypassed=name == "too-hot")
        for name in ("too-hot", "humid")
    )
    tell(lab, interlock(causes=causes, bypasses=(held,)), age_s=0.5)
    assert approve(lab, people["wang"], waits).refused == "group_bypassed"


OF_LI = "(SELECT %s FROM accounts WHERE login = 'li')"
ACCOUNT = "UPDATE accounts SET disabled_at = {} WHERE login = 'li'"
ROLE = "UPDATE role_grants SET ended_at = {} WHERE account_id = " + OF_LI % "id"
RIGHT = "UPDATE authorisations SET valid = {} WHERE person_id = " + OF_LI % "person_id"


@pytest.mark.parametrize(
    ("change", "lost", "given", "word"),
    [
        (ACCOUNT, "now()", "NULL", "asker"),
        (ROLE, "now()", "NULL", "asker"),
        (RIGHT, "'[2020-01-01,2021-01-01)'", "'[2020-01-01,)'", "no_right"),
    ],
)
def test_what_its_asker_may_ask_no_more_is_not_sent_when_it_is_approved(
    lab: Any, people: Any, change: str, lost: str, given: str, word: str
) -> None:
    tell(lab, interlock())
    waits = ask(lab, people["li"], "interlock.bypass", **BYPASS)
    lab.execute(change.format(lost))
    made = approve(lab, people["wang"], waits)
    lab.execute(change.format(given))
    assert (made.refused, made.issued_at) == (word, None)


@pytest.mark.parametrize("site", [None, 1])
def test_who_approves_may_be_of_one_site_alone(lab: Any, people: Any, site: int | None) -> None:
    """They see neither accounts nor people; who asked is judged all the same."""
    tell(lab, interlock())
    waits = ask(lab, people["li"], "interlock.bypass", **BYPASS)
    wang = replace(people["wang"], rights=Rights(frozenset({Grant(Role.SAFETY, 1, site)})))

    async def approved() -> Command:
        async with AsyncConnectionPool(lab.hub_dsn, min_size=1, max_size=1, open=False) as pool:
            before = ASKER.set(wang.seen(Permission.COMMANDS_APPROVE))
            try:
                async with changing(pool) as connection:
                    return await command_acts.approve(Act(connection, wang, NOW), bytes.fromhex(waits.id))
            finally:
                ASKER.reset(before)

    made = asyncio.run(approved())
    assert (made.refused, made.second) == ("", "n-wang")


@pytest.mark.parametrize(
    ("ended", "scopes", "refused"),
    [
        ("NULL", ["control.bypass"], ""),
        ("now()", ["control.bypass"], "asker"),
        ("NULL", ["control.read"], "asker"),
    ],
)
def test_what_a_program_asked_for_is_sent_while_its_token_lives(
    lab: Any, people: Any, ended: str, scopes: list[str], refused: str
) -> None:
    tell(lab, interlock())
    lab.execute("DELETE FROM api_tokens")
    lab.execute(
        "INSERT INTO api_tokens (organisation_id, account_id, name, token_hash, scopes, expires_at, ended_at)"
        f" VALUES (1, %s, 'script', %s, %s, '2030-01-01', {ended})",
        people["li"].account_id,
        bytes(32),
        scopes,
    )
    waits = ask(lab, replace(people["li"], kind="token", login="li/script"), "interlock.bypass", **BYPASS)
    assert approve(lab, people["wang"], waits).refused == refused


@pytest.mark.parametrize(("power", "state"), [(True, "waiting"), (False, "sent")])
def test_power_that_was_cut_comes_back_by_two_persons(lab: Any, people: Any, power: bool, state: str) -> None:
    tell(lab, interlock("reset", breach=2, power=power))
    assert ask(lab, people["li"], "interlock.enable", breach=2).state(NOW) == state


def test_nobody_is_two_persons_while_there_are_no_accounts(lab: Any, people: Any) -> None:
    everybody = Viewer(kind="everybody", login="", origin=Origin("test"))
    with pytest.raises(ActError, match="signed in"):
        ask(lab, everybody, "interlock.bypass", **BYPASS)


def test_hub_asks_by_itself_and_says_why(lab: Any, people: Any) -> None:
    async def asked(connection: Connection) -> Command:
        async with connection.transaction():
            wish = Wish(NAME, "interlock.trip", {"interlock": ROOM}, valid_s=5)
            return await command_acts.ask_as_hub(connection, wish, why="the vehicle moves", now=NOW)

    made = lab.run(asked)
    assert (made.by, made.asker_kind, made.state(NOW)) == ("hub the vehicle moves", "hub", "sent")
    rows = lab.execute("SELECT actor_kind, actor FROM audit_log ORDER BY id DESC LIMIT 1")
    assert rows == [("rule", "the vehicle moves")]


def test_every_state_of_a_command_has_its_place(lab: Any, people: Any) -> None:
    assert set(commands.FINAL) < set(commands.STATES)
    assert set(commands.ORDER) == {"", "accepted", *commands.FINAL}


@pytest.fixture(scope="module")
def stranger(lab: Any, people: Any) -> Viewer:
    """Somebody of another organisation with a role here, whose number is that of `li` there."""
    ((other,),) = lab.execute("INSERT INTO organisations (name) VALUES ('other') RETURNING id")
    ((person,),) = lab.execute(
        "INSERT INTO people (organisation_id, number, name) VALUES (%s, 'n-li', 'Other') RETURNING id", other
    )
    for right in ("acknowledge", "bypass"):
        lab.execute(
            "INSERT INTO authorisations (organisation_id, person_id, kind, subject, valid)"
            " VALUES (%s, %s, 'activity', %s, '[2020-01-01,)')",
            *(other, person, f"interlock.{right}:{ROOM}"),
        )
    ((account,),) = lab.execute(
        "INSERT INTO accounts (organisation_id, person_id, login) VALUES (%s, %s, 'other') RETURNING id",
        *(other, person),
    )
    return replace(people["li"], login="other", account_id=account, organisation_id=other)


def test_number_of_another_organisation_is_nobody_here_and_may_trip_alone(
    lab: Any, people: Any, stranger: Viewer
) -> None:
    tell(lab, interlock("tripped", breach=1))
    with pytest.raises(ForbiddenError, match="a person of the organisation of the gateway"):
        ask(lab, stranger, "interlock.acknowledge", breach=1)
    tell(lab, interlock(), age_s=0)
    tripped = ask(lab, stranger, "interlock.trip", reason="smoke")
    assert (tripped.by, tripped.rights, tripped.refused) == ("account: other", [], "")
    waits = ask(lab, people["wang"], "interlock.bypass", cause="humid", reason="x", seconds=60.0)
    with pytest.raises(ForbiddenError, match="a person of the organisation of the gateway"):
        approve(lab, stranger, waits)
