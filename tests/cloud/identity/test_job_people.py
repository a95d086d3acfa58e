"""The page of a job names people as every page does, and says which instruments nothing knows."""

from rules.permissions import Role
from tests.cloud.identity.test_job_pages import METHOD, cookies, place, plan
from tests.cloud.identity.test_pages import page, post

__all__ = ["place"]


def test_page_names_people_by_name_and_number_and_marks_instruments_that_nothing_knows(world, place):
    who = cookies(world, Role.ADMINISTRATOR)
    post(world, "/jobs/methods?lang=en", who, **METHOD)
    ((point,),) = world.lab.execute("SELECT name FROM points WHERE id = %s", place.point)
    known = point.partition("/")[0]
    made = post(world, "/jobs?lang=en", who, **plan(place, instruments=f"voltmeter-xyz {known}"))
    assert made.status_code == 303, made.text
    shown = page(world, f"{made.headers['location']}?lang=en", who).text
    assert "Asker · asker" in shown
    instruments = shown.split("<dt>Instruments</dt>")[1].split("</dd>")[0]
    assert instruments.count("not in the list of instruments") == 1
    assert instruments.index("not in the list") > instruments.index("voltmeter-xyz")
    post(world, f"{made.headers['location']}?lang=en", who, do="start", present="asker here-1")
    shown = page(world, f"{made.headers['location']}?lang=en", who).text
    assert "Asker · asker" in shown.split('id="log"')[1]
