"""Settings of a gateway as a page: who may see and change them, and what is shown of a fault."""

from html.parser import HTMLParser

import pytest
from markupsafe import escape

from rules.permissions import Grant, Role
from tests.cloud.identity.test_pages import BROWSER, page, post
from wire.codec import encode_body
from wire.messages import PointDeclaration, Points

pytestmark = pytest.mark.requirement("G-4.3a", "H-7.1c")

GPS = '# <The car>\n[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\n'
CAUSE = "interlock[0].group[0].cause[0]"


@pytest.fixture
def address(world):
    for table in ("settings_desired", "settings_reported", "settings_revisions"):
        world.lab.execute(f"DELETE FROM {table}")
    return f"/gateways/{world.places['here'].gateway}/settings"


@pytest.fixture
def cookies(world):
    world.token(Grant(Role.ADMINISTRATOR, 1))
    return world.session()


def form(document, *, do="save", based_on=0, reason="because"):
    return {"do": do, "document": document.replace("\n", "\r\n"), "based_on": str(based_on), "reason": reason}


def test_text_is_checked_compared_saved_and_taken_back(world, address, cookies):
    checked = post(world, address + "?lang=en", cookies, **form(GPS.format("car"), do="check"))
    assert checked.status_code == 200
    assert '<span class="new">+prefix = &#34;car&#34;' in checked.text
    assert post(world, address + "?lang=en", cookies, **form(GPS.format("car"))).status_code == 303
    assert (
        post(world, address + "?lang=en", cookies, **form(GPS.format("van"), based_on=1)).status_code == 303
    )
    shown = page(world, address + "?lang=en", cookies)
    assert "Revision 2 is on its way" in shown.text
    assert str(escape(GPS.format("van"))) in shown.text
    assert '<span class="old">-prefix = &#34;car&#34;' in page(world, address + "?from=1&to=2", cookies).text
    back = {"do": "revert", "number": "1", "based_on": "2", "reason": "sold"}
    assert post(world, address + "?lang=en", cookies, **back).status_code == 303
    assert world.lab.execute(
        "SELECT number, reason FROM settings_revisions ORDER BY number DESC LIMIT 1"
    ) == [(3, "sold")]


def test_faults_are_shown_with_their_lines_and_the_text_stays(world, address, cookies):
    answer = post(world, address + "?lang=en", cookies, **form(GPS.format("A B") + "colour = 1\n"))
    assert answer.status_code == 422
    assert 'data-line="5"' in answer.text
    assert 'data-line="6"' in answer.text
    assert "colour = 1" in answer.text
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(0,)]


def test_who_saves_over_another_keeps_the_text_and_is_told(world, address, cookies):
    post(world, address + "?lang=en", cookies, **form(GPS.format("car")))
    answer = post(world, address + "?lang=en", cookies, **form(GPS.format("van")))
    assert answer.status_code == 409
    assert "Somebody saved revision 1 meanwhile" in answer.text
    assert 'name="based_on" value="1"' in answer.text
    assert "van" in answer.text


@pytest.mark.parametrize(("role", "reads"), [(Role.FACILITIES, True), (Role.VIEWER, False)])
def test_who_may_not_write_gets_no_form_and_is_refused(world, address, role, reads):
    world.token(Grant(role, 1))
    cookies = world.session()
    shown = page(world, address + "?lang=en", cookies)
    assert shown.status_code == (200 if reads else 403)
    assert 'value="save"' not in shown.text
    assert post(world, address + "?lang=en", cookies, **form(GPS.format("car"))).status_code == 403
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(0,)]


def test_neighbour_s_gateway_is_not_there(world, cookies):
    there = f"/gateways/{world.places['alien'].gateway}/settings"
    assert page(world, there, cookies).status_code == 404
    assert post(world, there + "?lang=en", cookies, **form(GPS.format("car"))).status_code == 404


def kept(world, address, cookies, document=None):
    assert (
        post(world, address + "?lang=en", cookies, **form(document or GPS.format("car"))).status_code == 303
    )


def fields(document, part="device[0]", *, do="check", based_on=1, **changes):
    """What the form of one device sends."""
    told = {"driver": "", "name": "gps", "prefix": "car"} | changes
    sent = {f"{part}.{name}": value for name, value in told.items() if name != "driver"}
    return form(document, do=do, based_on=based_on) | {"fields": "1", "part": part} | sent


def test_form_changes_the_text_and_keeps_its_remarks(world, address, cookies):
    kept(world, address, cookies)
    shown = page(world, address + "?lang=en", cookies).text
    assert 'name="device[0].prefix" value="car"' in shown
    assert "First part of the names of its points; fixes go to" in shown
    assert "1 … 65535" in shown
    checked = post(
        world, address + "?lang=en", cookies, **fields(GPS.format("car"), port="1502", prefix="van")
    )
    assert checked.status_code == 200
    assert '<span class="new">+port = 1502' in checked.text
    assert "# &lt;The car&gt;" in checked.text
    sent = fields(GPS.format("car"), do="save", prefix="van")
    assert post(world, address, cookies, **sent).status_code == 303
    (document,) = world.lab.execute("SELECT document FROM settings_revisions WHERE number = 2")[0]
    assert document == GPS.format("van")


def test_faults_of_a_form_stand_beside_their_fields_all_at_once(world, address, cookies):
    kept(world, address, cookies)
    sent = fields(GPS.format("car"), do="save", prefix="A B", port="many", silence_s="0")
    answer = post(world, address + "?lang=en", cookies, **sent)
    assert answer.status_code == 422
    for name in ("prefix", "port", "silence_s"):
        assert f'id="device[0].{name}~wrong"' in answer.text
    assert 'name="device[0].port" value="many"' in answer.text
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]


def test_devices_and_tables_come_and_go_without_a_script(world, address, cookies):
    kept(world, address, cookies)
    new = post(
        world,
        address + "?lang=en",
        cookies,
        **fields(GPS.format("car"), do="new", driver="x") | {"driver": "modbus"},
    )
    assert new.status_code == 200
    assert "[[device]]\ndriver = &#34;modbus&#34;\nname = &#34;modbus&#34;" in new.text
    document = GPS.format("car") + '\n[[device]]\ndriver = "modbus"\nname = "modbus"\n'
    sent = form(document, do="add device[1].unit") | {
        "fields": "1",
        "part": "device[1]",
        "device[1].host": "10.0.0.1",
    }
    unit = post(world, address + "?lang=en", cookies, **sent)
    assert 'name="device[1].unit[0].address"' in unit.text
    assert "host = &#34;10.0.0.1&#34;" in unit.text
    gone = post(
        world, address + "?lang=en", cookies, **form(document, do="remove device[1]") | {"part": "device[1]"}
    )
    assert "modbus&#34;" not in gone.text
    for do in ("add device[9].unit", "remove gateway", "anything"):
        assert post(world, address, cookies, **form(document, do=do)).status_code == 404
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]


def test_going_back_without_a_reason_keeps_the_text(world, address, cookies):
    kept(world, address, cookies)
    answer = post(world, address + "?lang=en", cookies, do="revert", number="1", based_on="1", reason=" ")
    assert answer.status_code == 422
    assert str(escape(GPS.format("car"))) in answer.text


def test_gateway_that_runs_its_own_file_alone_is_not_shown_as_running_the_revision(world, address, cookies):
    kept(world, address, cookies)
    world.lab.execute(
        "INSERT INTO settings_reported SELECT organisation_id, id, 0, 1, 'applied', '[]', 0, 0, sha256('x'),"
        " NULL, NULL, now() FROM gateways WHERE name = %s",
        world.places["here"].gateway,
    )
    shown = page(world, address + "?lang=en", cookies).text
    assert "Set aside" in shown
    assert "Revision 1 runs." not in shown
    assert "Try revision 1 again" in shown


def test_settings_go_out_and_come_in_as_files(world, address, cookies):
    kept(world, address, cookies)
    file = page(world, address + "/file", cookies)
    assert file.text == GPS.format("car")
    assert "attachment" in file.headers["content-disposition"]
    assert page(world, address + "/file?revision=7", cookies).status_code == 404
    answer = world.ask(
        address + "/import?lang=en",
        method="POST",
        data={"based_on": "1"},
        files={"file": ("x.toml", GPS.format("van").encode())},
        cookies=cookies,
        headers=dict(BROWSER),
    )
    assert answer.status_code == 200
    assert '<span class="new">+prefix = &#34;van&#34;' in answer.text
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]


@pytest.fixture
def templates(world):
    world.lab.execute("DELETE FROM settings_templates")
    return "/settings-templates"


def template(document=None, **changes):
    told = {"do": "new", "organisation": "1", "name": "van", "site_kind": "vehicle", "reason": "vans"}
    return {**told, "document": document or GPS.format("{{vehicle}}"), **changes}


def test_template_is_kept_shown_changed_and_filled_in_with_its_difference_first(
    world, address, cookies, templates
):
    kept(world, address, cookies)
    made = post(world, templates + "?lang=en", cookies, **template())
    assert made.status_code == 303
    where = made.headers["location"]
    assert "vehicle" in page(world, where + "?lang=en", cookies).text
    assert "van.toml" in page(world, templates + "?lang=en", cookies).text
    assert page(world, where + "/file", cookies).text == GPS.format("{{vehicle}}")
    assert post(world, templates + "?lang=en", cookies, **template()).status_code == 422
    assert post(world, templates, cookies, **template(do="change", reason="again")).status_code == 303
    number = where.rpartition("/")[2]
    asked = page(world, f"{address}?lang=en&template={number}", cookies).text
    assert 'name="place.vehicle"' in asked
    empty = {"do": "fill", "template": number, "based_on": "1", "place.vehicle": ""}
    assert post(world, address + "?lang=en", cookies, **empty).status_code == 422
    filled = post(world, address + "?lang=en", cookies, **empty | {"place.vehicle": "van-7"})
    assert filled.status_code == 200
    assert '<span class="new">+prefix = &#34;van-7&#34;' in filled.text
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [{"name": "A B"}, {"site_kind": "ship"}, {"document": " "}, {"reason": ""}, {"organisation": "x"}],
)
def test_template_with_a_fault_is_refused(world, cookies, templates, change):
    expected = 404 if "organisation" in change else 422
    assert post(world, templates + "?lang=en", cookies, **template() | change).status_code == expected
    assert world.lab.execute("SELECT count(*) FROM settings_templates") == [(0,)]


def test_who_may_not_write_keeps_no_template_and_neighbours_see_none(world, cookies, templates, address):
    made = post(world, templates, cookies, **template())
    world.token(Grant(Role.FACILITIES, 1))
    reader = world.session()
    assert "van.toml" in page(world, templates, reader).text
    assert post(world, templates, reader, **template(name="other")).status_code == 403
    world.token(Grant(Role.ADMINISTRATOR, 2))
    stranger = world.session()
    assert "van.toml" not in page(world, templates, stranger).text
    assert page(world, made.headers["location"], stranger).status_code == 404
    assert post(world, templates, stranger, **template(name="other")).status_code in (403, 404)


def test_faults_beyond_a_page_are_counted(world, address, cookies):
    document = '[[device]]\ndriver = "ble"\nname = "r"\n' + "[[device.sensor]]\nformat = 1\n" * 60
    answer = post(world, address + "?lang=en", cookies, **form(document, do="check"))
    assert answer.status_code == 422
    assert "and 80 more" in answer.text


class Form(HTMLParser):
    """What a browser would send of the form of a part, but for the button that is pressed."""

    def __init__(self, text):
        super().__init__()
        self.sent, self.buttons, self._inside, self._select, self._area = {}, set(), False, "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        one = dict(attrs)
        if tag == "form":
            self._inside = one.get("class") == "settings-form"
        if not self._inside:
            return
        name, value = one.get("name"), one.get("value") or ""
        if tag == "button":
            self.buttons.add(value)
        elif tag == "input" and name and (one.get("type") != "checkbox" or "checked" in one):
            self.sent.setdefault(name, []).append(value)
        elif tag in ("select", "textarea"):
            self._select, self._area = (name, "") if tag == "select" else ("", name)
        elif tag == "option" and (self._select not in self.sent or "selected" in one):
            self.sent[self._select] = [value]

    def handle_endtag(self, tag):
        if tag in ("select", "textarea"):
            self._select = self._area = ""

    def handle_data(self, data):
        if self._inside and self._area:
            self.sent[self._area] = [data.removeprefix("\n")]


@pytest.fixture
def press(world, address, cookies):
    """A function: presses a button of the form that a page shows, with these inputs changed."""
    kept(world, address, cookies)
    air = PointDeclaration(name="room-2/air/temperature", quantity="temperature", exponent=-2, period_ms=1000)
    gateway = world.places["here"].gateway
    world.lab.execute(
        "INSERT INTO declarations (gateway_id, organisation_id, body)"
        " SELECT id, organisation_id, %s FROM gateways WHERE name = %s"
        " ON CONFLICT (gateway_id) DO UPDATE SET body = excluded.body",
        *(encode_body(Points(gateway=gateway, points=[air], layouts=[])), gateway),
    )

    def pressed(shown, do, **changes):
        form = Form((shown or page(world, address + "?lang=en", cookies)).text)
        assert do in form.buttons
        assert changes.keys() <= form.sent.keys()
        sent = {**form.sent, **{name: [value] for name, value in changes.items()}, "do": [do]}
        return post(world, address + "?lang=en", cookies, **sent)

    return pressed


def test_interlock_is_added_told_what_is_wrong_at_its_field_mended_and_published(world, press):
    shown = press(None, "new interlock")
    shown = press(shown, "add interlock[0].group", **{"interlock[0].name": "room-2"})
    shown = press(
        shown,
        "add interlock[0].group[0].cause",
        **{"interlock[0].group[0].name": "climate", "interlock[0].group[0].cause+": "limit"},
    )
    shown = press(shown, "add interlock[0].effect")
    told = {
        f"{CAUSE}.name": "warm",
        f"{CAUSE}.point": "room-2/air/temperature",
        f"{CAUSE}.high": "2400",
        "interlock[0].effect[0].kind": "hold_work",
        "interlock[0].effect[0].target": "room-2",
        "reason": "no work in the heat",
    }
    refused = press(shown, "save", **told)
    assert refused.status_code == 422
    assert f'id="{CAUSE}.high~wrong"' in refused.text
    assert "outside of what its sensor can tell" in refused.text
    assert world.lab.execute("SELECT count(*) FROM settings_revisions") == [(1,)]
    assert press(refused, "save", **{f"{CAUSE}.high": "24"}).status_code == 303
    ((document, reason),) = world.lab.execute(
        "SELECT document, reason FROM settings_revisions WHERE number = 2"
    )
    assert reason == "no work in the heat"
    assert document == (
        GPS.format("car") + '\n[[interlock]]\nname = "room-2"\n'
        '\n[[interlock.group]]\nname = "climate"\n'
        '\n[[interlock.group.cause]]\nkind = "limit"\npoint = "room-2/air/temperature"\n'
        'name = "warm"\nhigh = 24\n'
        '\n[[interlock.effect]]\nkind = "hold_work"\ntarget = "room-2"\n'
    )
    assert world.lab.execute("SELECT number FROM settings_desired") == [(2,)]


def test_parts_are_grouped_and_a_start_is_told_before_it_is_saved(press):
    shown = press(None, "new portal")
    shown = press(shown, "new equipment")
    for word in ("Interlocks", "Doors", "Equipment that is released", "Regulations", "Panel beside the door"):
        assert f"<h3>{word}</h3>" in shown.text
    assert "some seconds of readings are missing then" in shown.text
    assert "missing then: portal, equipment." in press(shown, "check").text
    assert "equipment = []" in press(shown, "remove equipment[0]").text
