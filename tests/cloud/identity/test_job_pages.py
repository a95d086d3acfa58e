"""Jobs as pages: planned, begun, refused with a sentence, finished; only what a person may do is offered."""

import pytest

from rules.interlock.inputs import Moment
from rules.interlock.state import Kept, Phase, Vote, encode_kept
from rules.permissions import Grant, Role
from tests.cloud.identity.test_pages import page, post
from tests.cloud.identity.world import NOW
from wire.settings.shadow import check_text
from wire.settings.toml import to_toml

pytestmark = pytest.mark.requirement("H-7.3.1a", "H-7.3.1b")


@pytest.fixture
def place(world):
    """A room and two people of the first site, and no jobs."""
    here = world.places["here"]
    world.lab.execute("TRUNCATE job_log, jobs, limit_sets, hub_interlocks CASCADE")
    world.lab.execute(
        "INSERT INTO zones (organisation_id, site_id, name, title, kind, covers)"
        " VALUES (1, %s, 'room-9', 'Room 9', 'room', '{nothing}') ON CONFLICT DO NOTHING",
        here.site,
    )
    return here


def cookies(world, role):
    world.token(Grant(role, 1))
    return world.session()


def plan(here, **more):
    return {
        "number": "J-1",
        "method": "JJG <130>@1",
        "place": f"{here.site}/room-9",
        "people": "asker, here-1",
        "instruments": "std-1",
        "from_at": "2026-01-01T08:00",
        "to_at": "2026-01-01T17:00",
        **more,
    }


METHOD = {
    "organisation": "1",
    "method": "JJG <130>",
    "limits": "temperature 18 22\nhumidity - 60",
    "people_min": "2",
    "reason": "as regulated",
}


def test_job_is_planned_begun_and_finished_by_its_pages(world, place):
    who = cookies(world, Role.ADMINISTRATOR)
    assert post(world, "/jobs/methods?lang=en", who, **METHOD).status_code == 303
    listed = page(world, "/jobs?lang=en", who).text
    assert "JJG &lt;130&gt;" in listed
    assert "humidity: −∞ … 60" in listed
    made = post(world, "/jobs?lang=en", who, **plan(place))
    assert made.status_code == 303, made.text
    job = made.headers["location"]
    refused = post(world, f"{job}?lang=en", who, do="start", present="asker")
    assert refused.status_code == 422
    assert "Too few of its people are known to be in the zone. (here-1)" in refused.text
    assert post(world, f"{job}?lang=en", who, do="start", present="asker here-1").status_code == 303
    shown = page(world, f"{job}?lang=en", who).text
    assert "Running" in shown
    assert "as a person said: no door tells it here" in shown
    record = page(world, f"{job}/record?lang=en", who).text
    assert "not final: the job is not finished" in record
    assert "Asked for, and measured by no point of the zone: temperature, humidity" in record
    assert post(world, job, who, do="finish").status_code == 303
    assert (
        "完" in page(world, f"{job}?lang=zh", who).text or "已结束" in page(world, f"{job}?lang=zh", who).text
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"people": "asker nobody"}, "Name people of the organisation by their numbers"),
        ({"to_at": "2026-01-01T08:00"}, "The end is a date and time"),
        ({"from_at": "soon"}, "The beginning is a date and time"),
        ({"number": "a b"}, "The number has 1 to 64"),
        ({"method": "x@1"}, "Choose a method and its version."),
        ({"place": "1/cellar"}, "Choose a zone of the site."),
    ],
)
def test_faulty_plan_says_what_is_expected_and_keeps_what_was_typed(world, place, change, sentence):
    who = cookies(world, Role.ADMINISTRATOR)
    post(world, "/jobs/methods?lang=en", who, **METHOD)
    answer = post(world, "/jobs?lang=en", who, **plan(place, **change))
    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'value="2026-01-01T17:00"' in answer.text or "to_at" in change
    assert world.lab.execute("SELECT count(*) FROM jobs") == [(0,)]


def test_forms_are_offered_to_who_may_use_them(world, place):
    post(world, "/jobs/methods", cookies(world, Role.ADMINISTRATOR), **METHOD)
    made = post(world, "/jobs", cookies(world, Role.LABORATORY), **plan(place))
    assert made.status_code == 303, made.text
    viewer = cookies(world, Role.VIEWER)
    assert "Plan it" not in page(world, "/jobs?lang=en", viewer).text
    assert "Begin the work" not in page(world, f"{made.headers['location']}?lang=en", viewer).text
    denied = post(world, made.headers["location"], viewer, do="start", present="asker here-1")
    assert denied.status_code == 403
    assert page(world, "/jobs", cookies(world, Role.CUSTOMER)).status_code == 403


def test_job_of_another_body_is_not_there(world, place):
    post(world, "/jobs/methods", cookies(world, Role.ADMINISTRATOR), **METHOD)
    made = post(world, "/jobs", cookies(world, Role.ADMINISTRATOR), **plan(place))
    world.token(Grant(Role.ADMINISTRATOR, world.places["alien"].organisation))
    alien = world.session()
    assert page(world, made.headers["location"], alien).status_code == 404
    assert post(world, made.headers["location"], alien, do="start").status_code == 404
    assert "J-1" not in page(world, "/jobs", alien).text


RULE = {
    "name": "parked",
    "point": "here-site/here/air/temperature",
    "high": "30",
    "holds": "here-site/room-9",
    "reason": "heat",
    "enabled": "1",
}


def test_interlock_of_the_hub_is_kept_asked_and_says_that_it_is_never_the_only_protection(world, place):
    who = cookies(world, Role.ADMINISTRATOR)
    for change, sentence in (
        ({"name": "A b"}, "The name has 1 to 63 of a-z"),
        ({"high": "warm"}, "A limit is a number"),
        ({"point": "x/y"}, "Choose a point."),
        ({"trips": "nothing"}, "A line names a gateway and one of its interlocks."),
        ({"holds": "here-site/cellar"}, "no zone is called here-site/cellar"),
    ):
        answer = post(world, "/hub-interlocks?lang=en", who, **{**RULE, **change})
        assert (answer.status_code, sentence in answer.text) == (422, True), (change, answer.text)
    assert post(world, "/hub-interlocks?lang=en", who, **RULE).status_code == 303
    shown = page(world, "/hub-interlocks?lang=en", who).text
    assert "Never the only protection" in shown
    assert "at most 30.5 s from a breach" in shown
    assert "Not known: the hub does not judge it" in shown
    ((interlock, breach),) = world.lab.execute("SELECT id, breach FROM hub_interlocks")
    address = f"/hub-interlocks/{interlock}"
    assert post(world, address, who, do="trip", breach=str(breach)).status_code == 303
    assert world.lab.execute("SELECT act, actor FROM hub_interlock_acts") == [("trip", "asker")]
    stale = post(world, f"{address}?lang=en", who, do="acknowledge", breach="7")
    assert "Another breach came in between" in stale.text
    viewer = cookies(world, Role.VIEWER)
    assert "Keep a rule" not in page(world, "/hub-interlocks?lang=en", viewer).text
    assert post(world, address, viewer, do="reset", breach="0", reason="x").status_code == 403
    why = "car/speed: no good reading for 15 s"
    votes = (Vote("limit", 0, "stale", why), Vote("@state_lost", 0), Vote("older", 0))
    kept = encode_kept(Kept("parked", "f", Phase.TRIPPED, Moment("b", 0), first_out=votes)).decode()
    names = [vote.cause for vote in votes]
    world.lab.execute("UPDATE hub_interlocks SET kept = %s::jsonb, first_out = %s", kept, names)
    shown = page(world, "/hub-interlocks?lang=en", viewer).text
    assert why in shown
    assert "it started without a record of how it stood before" in shown
    assert "@state_lost" not in shown
    assert "older" in shown
    assert "car/speed: 已 15 s 没有有效读数" in page(world, "/hub-interlocks?lang=zh", viewer).text


def test_remote_operation_is_refused_in_words_while_nothing_vouches_for_the_zone(world, place):
    who = cookies(world, Role.ADMINISTRATOR)
    post(world, "/jobs/methods", who, **METHOD)
    job = post(world, "/jobs", who, **plan(place)).headers["location"]
    assert post(world, job, who, do="start", present="asker here-1").status_code == 303
    shown = page(world, "/operations?lang=en", who).text
    assert "J-1: std-1" in shown
    what = {"what": f"{job.rpartition('/')[2]}/std-1", "gateway": place.gateway}
    refused = post(world, "/operations?lang=en", who, **what)
    assert refused.status_code == 422
    assert "No interlock of a gateway watches the zone: nothing vouches for it. (room-9)" in refused.text
    assert "没有网关联锁监视此区域" in post(world, "/operations?lang=zh", who, **what).text
    assert world.lab.execute("SELECT count(*) FROM operations") == [(0,)]
    assert post(world, "/operations", cookies(world, Role.VIEWER), **what).status_code == 403


SETTINGS = to_toml(
    {
        "device": [
            {
                "driver": "instrument",
                "name": "std-1",
                "prefix": "std-1",
                "resource": "TCPIP::127.0.0.1::5025::SOCKET",
                "identity": {"maker": "a"},
                "query": [{"point": "t", "command": "T?", "quantity": "temperature", "step": "0.01"}],
                "procedure": [
                    {
                        "name": "set_point",
                        "argument": [
                            {"name": "target", "low": "-30", "high": "90"},
                            {"name": "pace", "words": ["slow", "fast"]},
                        ],
                        "step": [{"command": "SP {target} {pace}"}],
                    }
                ],
            }
        ]
    }
)


def test_session_shows_its_transcript_and_ends_by_its_page(world, place):
    who = cookies(world, Role.ADMINISTRATOR)
    post(world, "/jobs/methods", who, **METHOD)
    job = post(world, "/jobs", who, **plan(place)).headers["location"]
    ((session,),) = world.lab.execute("SELECT max(id) FROM web_sessions")
    ((operation,),) = world.lab.execute(
        "INSERT INTO operations (organisation_id, site_id, job_id, gateway_id, instrument, operator,"
        " account_id, session_id, started_at, heard_at)"
        " SELECT 1, %s, %s, id, 'std-1', 'asker', %s, %s, %s, %s"
        " FROM gateways WHERE name = %s RETURNING id",
        *(place.site, int(job.rpartition("/")[2]), world.asker, session, NOW, NOW, place.gateway),
    )
    address = f"/operations/{operation}"
    assert post(world, address, who, do="note", text="the <pan> swings").status_code == 303
    refused = post(world, f"{address}?lang=en", who, do="command", procedure="weigh", arguments="load = 1")
    assert "The job does not run. (J-1)" in refused.text
    assert post(world, f"{address}?lang=en", who, do="command", arguments="nonsense").status_code == 422
    shown = page(world, f"{address}?lang=en", who).text
    assert "the &lt;pan&gt; swings" in shown
    assert "This transcript was changed" not in shown
    assert "The hub does not have the settings that declare what this instrument can do" in shown
    assert "None is known: nothing vouches for the zone." in shown
    assert check_text(SETTINGS)[1] == []
    world.lab.execute(
        "INSERT INTO settings_revisions SELECT organisation_id, id, 77, %s, sha256('x'), 'gateway', 'g', 'r',"
        " %s, 0 FROM gateways WHERE name = %s",
        *(SETTINGS, NOW, place.gateway),
    )
    told = "UPDATE settings_reported SET running_revision = %s WHERE gateway_id IN (SELECT id FROM gateways"
    told += " WHERE name = 'here-gateway')"
    world.lab.execute(told, 77)
    shown = page(world, f"/parts{address}?lang=en", who).text
    assert '<input type="hidden" name="procedure" value="set_point">' in shown
    assert 'name="arg.target" type="number" step="any" min="-30" max="90" required' in shown
    assert "<option>fast</option>" in shown
    declared = {"do": "command", "procedure": "set_point", "arg.target": "20"}
    assert "The job does not run." in post(world, f"{address}?lang=en", who, **declared).text
    world.lab.execute(told, 1)
    world.lab.execute("DELETE FROM settings_revisions WHERE number = 77")
    other = world.session()
    assert "What the instrument is to do" not in page(world, f"{address}?lang=en", other).text
    assert post(world, address, other, do="end", text="enough").status_code == 303
    ended = page(world, f"/parts{address}?lang=en", who).text
    assert "A person ended it. (enough)" in ended
    assert 'value="command"' not in ended
