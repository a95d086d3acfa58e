"""The pages and the API of alarms, asked in the process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from psycopg_pool import AsyncConnectionPool

from cloud.api.app import create_app
from cloud.api.services import Services
from cloud.store.connection import StoreConnection
from cloud.web.api_page import mount_api_page
from cloud.web.feed import LiveFeed
from cloud.web.pages import mount
from cloud.web.settings import WebSettings
from tests.cloud.alarms.world import HI, Site
from wire.codec import encode_body
from wire.control import ControlStatus, InterlockNow

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11b")


class Browser:
    """Asks the application, in one event loop."""

    def __init__(self, site: Site, client: httpx.AsyncClient, runner: asyncio.Runner) -> None:
        self.site, self.client, self.runner = site, client, runner

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.runner.run(self.client.get(path, params=query))

    def send(self, method: str, path: str, body: Any) -> httpx.Response:
        return self.runner.run(self.client.request(method, path, json=body))

    def form(self, path: str, **fields: Any) -> httpx.Response:
        headers = {"origin": "http://hub"}
        return self.runner.run(self.client.post(path, data=fields, headers=headers))

    def turn(self) -> None:
        async def once() -> None:
            async with self.site.keeper():
                pass

        self.runner.run(once())


@contextmanager
def browsing(site: Site) -> Iterator[Browser]:
    with asyncio.Runner() as runner:
        pool: Any = AsyncConnectionPool(
            site.lab.hub_dsn,
            connection_class=StoreConnection,
            min_size=1,
            max_size=2,
            open=False,
            kwargs={"autocommit": True},
        )
        runner.run(pool.open())
        now = lambda: site.now  # noqa: E731
        app = create_app(Services(pool=pool, now=now, broker_connected=lambda: True))
        feed = LiveFeed(site.lab.hub_dsn, now=now)
        mount(app, pool=pool, feed=feed, settings=WebSettings(), now=now, broker_connected=lambda: True)
        mount_api_page(app, app.state.web.render)
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://hub")
        yield Browser(site, client, runner)
        runner.run(client.aclose())
        runner.run(pool.close())


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    with browsing(site) as made:
        yield made


def test_list_shows_an_alarm_with_its_limit_and_lets_it_be_acknowledged(browser, site):
    point = site.watch(HI)
    browser.turn()
    site.measure(point, 22.0, 23.5, 24.1)
    browser.turn()
    for language, words in (
        ("en", ["High priority", "Unacknowledged", "24.10", "limit 23.00", "Acknowledge"]),
        ("zh", ["未确认"]),
    ):
        page = browser.get("/alarms", lang=language)
        assert page.status_code == 200
        for word in [*words, site.names[point]]:
            assert word in page.text, word
    (listed,) = browser.get("/api/alarms").json()["items"]
    assert (listed["condition"], listed["state"], listed["worst"]) == ("hi", "unacknowledged", "24.10")
    done = browser.form("/alarms?lang=en", act="acknowledge", site=1, point=site.names[point], condition="hi")
    assert (done.status_code, done.headers["location"]) == (303, "/alarms")
    again = browser.form(
        "/alarms?lang=en", act="acknowledge", site=1, point=site.names[point], condition="hi"
    )
    assert again.status_code == 422
    assert "Somebody has acknowledged it already." in again.text
    assert browser.get("/api/alarms").json()["items"][0]["state"] == "acknowledged"
    assert browser.get(f"/api/alarms/{listed['id']}").json()["acknowledged_by"]
    assert browser.get("/alarms/history", lang="en").status_code == 200


def test_interlock_is_shown_by_its_title_and_first_out_in_words(browser, site):
    def interlock(name: str, title: str) -> InterlockNow:
        return InterlockNow(name=name, title=title, rule="r", phase="tripped", breach=1)

    told = (interlock("room-2 climate", "Climate of room 2"), interlock("gas", ""))
    status = ControlStatus(gateway="gateway", boot=bytes(16), tick=1, interlocks=told)
    gateway = site.lab.execute(
        "INSERT INTO control_status (organisation_id, gateway_id, boot, tick, body, received_at, heard_at)"
        " VALUES (1, 1, %s, 1, %s, %s, NULL) ON CONFLICT (gateway_id) DO UPDATE SET body = excluded.body"
        " RETURNING gateway_id",
        *(bytes(16), encode_body(status), site.now),
    )
    assert gateway == [(1,)]
    site.event("interlock_tripped", "room-2 climate", first_out="@state_lost, hot")
    site.event("interlock_tripped", "gas", first_out=["@new"])
    words = "a: no good reading for 15 s; b was 27 °C, above 26 °C"
    site.event("interlock_tripped", "air", first_out="a, b", words=words)
    browser.turn()
    for language, words in (
        (
            "en",
            [
                "Climate of room 2",
                "it started without a record of how it stood before, hot",
                "the interlock is new",
                "a: no good reading for 15 s; b was 27 °C, above 26 °C",
            ],
        ),
        ("zh", ["启动时没有找到此前状态的记录, hot", "a: 已 15 s 没有有效读数；b 为 27 °C,高于 26 °C"]),
    ):
        for path in ("/alarms", "/alarms/history"):
            page = browser.get(path, lang=language).text
            for word in words:
                assert word in page or path == "/alarms/history", word
            assert "Climate of room 2 · interlock/room-2 climate" in page
            assert "@state_lost" not in page
    site.lab.execute("DELETE FROM control_status")


def test_template_is_made_applied_and_revised_on_its_pages(browser, site):
    point = site.lab.point()
    assert "Not monitored" in browser.get("/alarms/points", lang="en").text
    levels = {f"{code}-priority": "high" for code in ("lolo", "lo", "hi", "hihi", "rate")}
    flags = {f"{code}-priority": "medium" for code in ("comms", "device", "calibration", "tamper")}
    asked = {"organisation": 1, "name": "room", "quantity": "temperature", "reason": "new", **levels, **flags}
    limits = {"hi-limit": "23", "hi-deadband": "0.5", "comms-on": "60"}
    assert browser.form("/alarms/templates", **asked, **limits).status_code == 303
    wrong = browser.form("/alarms/templates?lang=en", **asked, **(limits | {"lo-limit": "30"}))
    assert wrong.status_code == 422
    assert "above the limit of lo, 30" in wrong.text
    assert browser.form("/alarms/templates?lang=en", **asked, **{"hi-limit": "9999"}).status_code == 422
    applied = browser.form("/alarms/points/watch", template="1/room", points=point, reason="in use")
    assert applied.status_code == 303
    browser.turn()
    (watched,) = [one for one in browser.get("/api/alarms/points").json()["items"] if one["id"] == point]
    assert (watched["template"], watched["state"]) == ("room", "normal")
    out = browser.form("/alarms/points", act="take_out", site=1, point=watched["name"], text="new filter")
    assert out.status_code == 303
    page = browser.get("/alarms/points", lang="en")
    assert "Out of service" in page.text
    assert "new filter" in page.text
    assert browser.form("/alarms/points", act="put_back", site=1, point=watched["name"]).status_code == 303
    assert browser.form("/alarms/points/watch", template="1/", points=point, reason="gone").status_code == 303
    (watched,) = [one for one in browser.get("/api/alarms/points").json()["items"] if one["id"] == point]
    assert watched["state"] == "not_monitored"


SECRET = "https://oapi.dingtalk.com/robot/send?access_token=t0ken"


def test_way_and_chain_are_entered_and_no_secret_is_shown_again(browser, site):
    way = {
        "organisation": 1,
        "name": "duty",
        "kind": "dingtalk",
        "target": SECRET,
        "key": "SECkey",
        "language": "zh",
    }
    assert browser.form("/alarms/calls/ways", act="save", **way).status_code == 303
    assert browser.form("/alarms/calls/ways", act="test", organisation=1, name="duty").status_code == 303
    chain = {"site": 1, "after-0": "0", "to-0": "duty", "repeat-0": "5", "reason": "night shift"}
    assert browser.form("/alarms/calls", **chain).status_code == 303
    wrong = browser.form("/alarms/calls?lang=en", **(chain | {"to-0": "nobody"}))
    assert wrong.status_code == 422
    assert "a way by which people are told: duty" in wrong.text
    assert browser.form("/alarms/calls/ways", act="remove", organisation=1, name="duty").status_code == 422
    shown = browser.get("/alarms/calls", lang="en").text + browser.get("/api/alarm-ways").text
    shown += str(site.lab.execute("SELECT old, new FROM audit_log"))
    assert "oapi.dingtalk.com" in shown
    assert "t0ken" not in shown
    assert "SECkey" not in shown
    (message,) = browser.get("/api/alarm-messages").json()["items"]
    assert (message["channel"], message["state"], message["why"]) == ("duty", "waiting", None)


SENSELESS = [
    ("PUT", "/api/alarm-templates/t", {"rules": [{"condition": "hi", "limit": "x"}]}, "rules.0.limit"),
    ("PUT", "/api/alarm-templates/t", {"rules": [{"condition": "hi", "limit": "400"}]}, "hi.limit"),
    ("PUT", "/api/alarm-templates/t", {"rules": []}, "rules"),
    ("PUT", "/api/alarm-templates/t", {"rules": [], "quantity": "warmth"}, "quantity"),
    ("POST", "/api/alarm-templates/none/points", {"points": [1]}, "template"),
    ("PUT", "/api/sites/1/alarm-policy", {"chains": {}, "routes": []}, "routes"),
    ("PUT", "/api/alarm-ways/w", {"kind": "email", "target": "not a mail"}, "target"),
    *(
        ("PUT", "/api/alarm-ways/w", {"kind": "wecom", "target": target}, "target")
        for target in (
            "ftp://x",
            "http://hooks..invalid/x",
            "http://.invalid/",
            f"http://{'a' * 64}.invalid/",
            "http://169.254.169.254/latest",
            "http://127.1/",
            "http://2130706433/",
            "http://localhost:8080/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
        )
    ),
    ("PUT", "/api/alarm-ways/w", {"kind": "email", "target": "a@["}, "target"),
    ("POST", "/api/alarm-ways/none/test", {}, "name"),
    ("POST", "/api/alarms/acts", {"act": "acknowledge", "site_id": 1, "point": "p"}, "condition"),
    ("POST", "/api/alarms/acts", {"act": "take_out", "site_id": 1, "point": "p", "text": "x"}, "point"),
    ("POST", "/api/alarms/acts", {"act": "put_back", "site_id": 9, "point": "p"}, "site"),
]


def test_what_makes_no_sense_is_refused_with_its_field(browser):
    for method, path, given, field in SENSELESS:
        body = dict(given)
        if "alarm-policy" in path:
            body |= {"reason": "x"}
        elif "acts" not in path:
            body |= {"organisation_id": 1}
        if path.startswith("/api/alarm-templates"):
            body |= {"reason": "x"}
            body |= {} if "points" in path or "quantity" in body else {"quantity": "temperature"}
        response = browser.send(method, path, body)
        assert response.status_code in (404, 422), response.text
        assert field in [fault["field"] for fault in response.json()["errors"]], response.text
