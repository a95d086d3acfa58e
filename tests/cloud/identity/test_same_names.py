"""Two organisations may name their sites alike: what belongs to one is never shown under the other."""

from typing import Any

import pytest

from rules.permissions import Grant, Role


@pytest.fixture
def twins(world: Any) -> Any:
    alien = world.places["alien"]
    world.token(Grant(Role.ADMINISTRATOR, 1), Grant(Role.ADMINISTRATOR, alien.organisation))
    world.lab.execute("UPDATE sites SET name = 'here-site' WHERE id = %s", alien.site)
    yield world
    world.lab.execute("UPDATE sites SET name = 'alien-site' WHERE id = %s", alien.site)


def page(world: Any, path: str) -> str:
    answer = world.ask(path, cookies=world.session(), headers={"accept": "text/html"})
    assert answer.status_code == 200
    return str(answer.text)


def test_camera_stands_below_its_own_site_on_the_wall(twins: Any) -> None:
    wall = page(twins, "/cameras")
    here, alien = wall.index(">here site<"), wall.index(">alien site<")
    assert here < alien
    for mark in ("here", "alien"):
        camera = f'href="/cameras/{twins.places[mark].camera}"'
        begin, end = (here, alien) if mark == "here" else (alien, len(wall))
        assert camera in wall[begin:end]
        assert camera not in wall[:begin] + wall[end:]


def test_camera_has_the_title_of_its_own_site(twins: Any) -> None:
    shown = page(twins, f"/cameras/{twins.places['alien'].camera}")
    assert "alien site" in shown
    assert "here site" not in shown
