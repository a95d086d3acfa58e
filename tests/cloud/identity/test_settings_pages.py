"""Settings of a gateway as a page: who may see and change them, and what is shown of a fault."""

import pytest
from markupsafe import escape

from rules.permissions import Grant, Role
from tests.cloud.identity.test_pages import page, post

pytestmark = pytest.mark.requirement("G-4.3a", "H-7.1c")

GPS = '# <The car>\n[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "{}"\n'


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
