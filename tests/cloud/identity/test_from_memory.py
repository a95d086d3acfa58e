"""A running hub answers from what it read when it started, whatever lies on the disk by now."""

import sys
from pathlib import Path
from typing import Any

from rules.permissions import Grant, Role

CLOUD = str(Path(__file__).resolve().parents[3] / "cloud")
opened: list[str] = []
watching = [False]


def note(event: str, arguments: tuple[Any, ...]) -> None:
    if watching[0] and event == "open" and str(arguments[0]).startswith(CLOUD):
        opened.append(Path(str(arguments[0])).suffix)


sys.addaudithook(note)


def test_pages_and_the_document_of_the_api_are_made_without_the_disk(world: Any) -> None:
    world.token(Grant(Role.ADMINISTRATOR, 1))
    cookies = world.session()
    watching[0] = True
    try:
        for code in ("en", "zh"):
            for path in ("/", "/people", "/retention", "/gateways", "/sign-in"):
                page = world.ask(f"{path}?lang={code}", cookies=cookies, headers={"accept": "text/html"})
                assert page.status_code == 200
        document = world.ask("/openapi.json", cookies=cookies)
    finally:
        watching[0] = False
    assert "Temperature of the calibration room" in document.text
    assert set(opened) <= {".py"}, "modules are loaded as they were; their text is for tracebacks"
