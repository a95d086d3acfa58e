"""Remote operation: it begins while everything holds, and the first condition that falls ends it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cloud import command_acts, job_acts, operation_acts
from cloud.command_acts import Wish
from cloud.identity.acts import ActError
from cloud.identity.viewer import Origin, Viewer
from cloud.job_facts import unfit_hub
from cloud.operation.room import look
from cloud.operation_acts import OperationRefusedError
from cloud.store import jobs_operation
from cloud.store.jobs_operation import broken_at
from rules.permissions import Grant, Rights, Role
from tests.cloud.jobs.conftest import MINUTE, ROOT, Work

pytestmark = pytest.mark.requirement("G-6.9d", "G-6.4e", "H-7.3.3.3")


@pytest.fixture
def ann(work: Work) -> Viewer:
    """Ann, of the laboratory, signed in with a browser."""
    lab = work.lab
    lab.execute("TRUNCATE operation_lines, operations, commands, accounts CASCADE")
    ((account,),) = lab.execute(
        "INSERT INTO accounts (organisation_id, person_id, login)"
        " SELECT 1, id, 'ann' FROM people WHERE number = 'ann' AND organisation_id = 1 RETURNING id"
    )
    lab.execute(
        "INSERT INTO role_grants (organisation_id, account_id, role) VALUES (1, %s, 'laboratory')", account
    )
    ((session,),) = lab.execute(
        "INSERT INTO web_sessions (token_hash, organisation_id, account_id, proven, created_at, used_at,"
        " ends_at, address) VALUES (%s, 1, %s, true, %s, %s, %s, 'x') RETURNING id",
        *(bytes(32), account, work.now, work.now, work.now + timedelta(days=1)),
    )
    rights = Rights(frozenset({Grant(Role.LABORATORY, 1)}))
    given = {"account_id": account, "session_id": session, "organisation_id": 1, "rights": rights}
    return Viewer(kind="account", login="ann", origin=Origin("x"), **given)


def begin(work, viewer, job_id, *, instrument="std-1"):
    return work.act(
        lambda act: operation_acts.begin(act, job_id, gateway="gateway-1", instrument=instrument), viewer
    )


def run(work, viewer, operation, **arguments):
    return work.act(
        lambda act: operation_acts.run(act, operation, "weigh", arguments=arguments, valid_s=30.0), viewer
    )


def lines(work, operation):
    return work.run(lambda connection: jobs_operation.transcript(connection, operation))


def known(work, operation):
    return work.run(lambda connection: jobs_operation.get_operation(connection, operation))


def watch(work):
    work.run(lambda connection: look(connection, work.now))


def test_command_and_its_receipt_stand_in_the_transcript_and_a_changed_line_shows(work: Work, ann) -> None:
    operation = begin(work, ann, work.start("O-1"))
    command = run(work, ann, operation, load="200 g")
    assert (command.name, command.arguments) == (
        "instrument.run",
        {"device": "std-1", "procedure": "weigh", "load": "200 g"},
    )
    assert command.by == "ann"
    work.act(lambda act: operation_acts.note(act, operation, "the pan swings"), ann)
    work.lab.execute(
        "INSERT INTO command_receipts (organisation_id, command_id, gateway_id, state, reason, text,"
        " received_at, from_journal) VALUES (1, decode(%s, 'hex'), 1, 'executed', '', '', %s, true)",
        *(command.id, work.now),
    )
    watch(work)
    watch(work)
    work.act(lambda act: operation_acts.end(act, operation, reason="done"), ann)
    told = lines(work, operation)
    assert [one.kind for one in told] == ["begun", "command", "note", "receipt", "ended"]
    assert json.loads(told[3].data)["state"] == "executed"
    assert broken_at(operation, told) is None
    work.lab.execute(
        'UPDATE operation_lines SET data = \'{"text": "all quiet"}\' WHERE operation_id = %s AND number = 3',
        operation,
    )
    assert broken_at(operation, lines(work, operation)) == 3
    with pytest.raises(OperationRefusedError, match="over: by_operator"):
        run(work, ann, operation)


def hold(work, job_id, ann):
    work.tell("interlock_tripped")
    work.follow()


def finish(work, job_id, ann):
    work.act(lambda act: job_acts.finish(act, job_id))


def trip(work, job_id, ann):
    work.status("tripped")


def fall_silent(work, job_id, ann):
    work.now += timedelta(seconds=31)


def sign_out(work, job_id, ann):
    work.lab.execute("UPDATE web_sessions SET ended_at = %s", work.now)


def take_role(work, job_id, ann):
    work.lab.execute("UPDATE role_grants SET ended_at = %s", work.now)


def do_nothing(work, job_id, ann):
    work.now += 6 * MINUTE
    work.status()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (hold, "job_held"),
        (finish, "job_not_running"),
        (trip, "interlock"),
        (fall_silent, "status_stale"),
        (sign_out, "signed_out"),
        (take_role, "no_permission"),
        (do_nothing, "silent"),
    ],
)
def test_session_ends_by_itself_when_a_condition_falls(work: Work, ann, *, change, reason) -> None:
    job_id = work.start("O-2")
    operation = begin(work, ann, job_id)
    watch(work)
    assert known(work, operation).ended_at is None
    change(work, job_id, ann)
    with pytest.raises(OperationRefusedError, match=f"^{reason}"):
        run(work, ann, operation)
    assert work.lab.execute("SELECT count(*) FROM commands") == [(0,)]
    watch(work)
    ended = known(work, operation)
    assert (ended.end_reason, ended.ended_at) == (reason, work.now)
    assert json.loads(lines(work, operation)[-1].data)["reason"] == reason


def test_interlock_of_the_hub_blocks_while_it_is_in_use_alone(work: Work, ann) -> None:
    job_id = work.start("O-30")
    rule = '{"effects": [{"kind": "hold_work", "target": "lab-1/room-2"}]}'
    work.lab.execute(
        "INSERT INTO hub_interlocks (organisation_id, site_id, name, version, rule, trips, enabled, author,"
        " reason, made_at, phase, stood_at) VALUES (1, 1, 'parked', 1, %s, '[]', true, 'x', 'x', %s,"
        " 'tripped', %s)",
        *(rule, work.now, work.now),
    )
    for change, reason in (
        ("phase = 'tripped'", "interlock: hub/parked"),
        ("phase = 'healthy', stood_at = stood_at - interval '31 s'", "hub_not_known: hub/parked"),
        ("phase = 'tripped', stood_at = NULL", "interlock: hub/parked"),
    ):
        work.lab.execute(f"UPDATE hub_interlocks SET {change}")
        with pytest.raises(OperationRefusedError, match=f"^{reason}$"):
            begin(work, ann, job_id)
    work.lab.execute("UPDATE hub_interlocks SET enabled = false, stood_at = now() - interval '1 h'")
    kept = work.job(job_id)
    assert work.run(lambda connection: unfit_hub(connection, kept, now=work.now)) == []
    begin(work, ann, job_id)
    work.lab.execute("TRUNCATE hub_interlocks CASCADE")


def test_nothing_begins_where_a_condition_does_not_hold(work: Work, ann) -> None:
    planned = work.plan("O-3")
    with pytest.raises(OperationRefusedError, match=r"^job_not_running: O-3"):
        begin(work, ann, planned)
    job_id = work.start("O-4")
    with pytest.raises(OperationRefusedError, match=r"^instrument_not_in_job: other"):
        begin(work, ann, job_id, instrument="other")
    work.lab.execute("DELETE FROM control_status")
    with pytest.raises(OperationRefusedError, match=r"^no_interlock: room-2"):
        begin(work, ann, job_id)
    work.status()
    work.lab.execute("UPDATE authorisations SET withdrawn_at = %s, withdrawn_why = 'x'", work.now)
    with pytest.raises(OperationRefusedError, match=r"^not_authorised: ann"):
        begin(work, ann, job_id)
    work.lab.execute("UPDATE authorisations SET withdrawn_at = NULL, withdrawn_why = ''")
    operation = begin(work, ann, job_id)
    with pytest.raises(OperationRefusedError, match=r"^in_use: std-1"):
        begin(work, ann, job_id)
    other = Viewer(
        kind="account", login="bob", origin=Origin("x"), account_id=99, session_id=99, rights=ann.rights
    )
    with pytest.raises(OperationRefusedError, match=r"^not_yours: ann"):
        run(work, other, operation)


def test_person_of_another_organisation_with_the_number_of_one_here_operates_nothing(work: Work, ann) -> None:
    job_id = work.start("O-9")
    ((body,),) = work.lab.execute("INSERT INTO organisations (name) VALUES ('other') RETURNING id")
    ((person,),) = work.lab.execute(
        "INSERT INTO people (organisation_id, number, name) VALUES (%s, 'ann', 'Ann') RETURNING id", body
    )
    work.lab.execute("UPDATE accounts SET organisation_id = %s, person_id = %s", body, person)
    with pytest.raises(OperationRefusedError, match="not_authorised"):
        begin(work, ann, job_id)


def test_instrument_of_an_open_session_takes_no_command_of_anybody_else(work: Work, ann) -> None:
    operation = begin(work, ann, work.start("O-10"))
    wish = Wish("gateway-1", "instrument.run", {"device": "std-1", "procedure": "weigh"})
    for viewer in (ROOT, replace(ann, session_id=ann.session_id + 1)):
        with pytest.raises(ActError, match="nobody operates in a session"):
            work.act(lambda act: command_acts.ask(act, wish), viewer)
    other = Wish("gateway-1", "instrument.run", {"device": "std-2", "procedure": "weigh"})
    assert work.act(lambda act: command_acts.ask(act, other)).refused == ""
    assert run(work, ann, operation).refused == ""
    work.act(lambda act: operation_acts.end(act, operation), ann)
    assert work.act(lambda act: command_acts.ask(act, wish)).refused == ""
