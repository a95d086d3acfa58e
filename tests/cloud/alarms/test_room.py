"""The room with its parts running: from a stored reading to a message at a hook, and over a lost database."""

import asyncio
from random import Random

import psycopg
import pytest

from cloud.alarms.room import PARTS, AlarmRoom, sender_of
from cloud.notify.texts import what_text, write_message
from cloud.settings import Broker, HubSettings
from cloud.store.alarm_messages import SiteFacts, Way
from cloud.supervisor import Health
from cloud.tools import Tools
from rules.alarm.calls import Call, Notification, Why
from rules.alarm.model import Condition, Occurrence, Priority
from tests.cloud.alarms.far_ends import web_server
from tests.cloud.alarms.test_rounds import CHAIN, add_way
from tests.cloud.alarms.world import HI

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11a")
LOOKS = 1500


async def until(true) -> None:
    for _ in range(LOOKS):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come")


def test_reading_beyond_its_limit_reaches_a_hook_also_after_the_database_was_lost(site, hub_identity):
    site.policy(**CHAIN)
    point = site.watch(HI, period_ms=None)
    settings = HubSettings(site.lab.hub_dsn, Broker("127.0.0.1", 1), hub_identity.folder)
    tools = Tools(settings, hub_identity, Health(), Random(1), lambda: site.now)

    async def scene(hook):
        add_way(site, "mail", "webhook", "127.0.0.1", url=hook.url)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(AlarmRoom(tools, sender_of({"HENG_NOTIFY_LOCAL": "1"}, tools)).run())
            await until(lambda: not tools.health.missing(PARTS))
            site.measure(point, 24.0)
            site.lab.execute("NOTIFY heng_feed")
            await until(lambda: hook.posts)
            with psycopg.connect(site.lab.hub_dsn) as same_role:
                same_role.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE 'heng alarm%' AND datname = current_database()"
                )
            site.measure(point, 20.0)
            site.measure(point, 25.0, step_s=400.0)
            # What was sent and not noted before the loss is sent again, under the same number.
            await until(lambda: any("25.00 °C" in body["text"] for _, body, _ in hook.posts))
            running.cancel()

    with web_server() as hook:
        asyncio.run(scene(hook))
        numbers = {body["delivery"]: body["text"] for _, body, _ in hook.posts}
        assert len(numbers) == len(set(numbers.values())) == 2
    assert [row[0] for row in site.rows("ended")] == ["returned", None]


def call(point: str, *, condition: Condition = Condition.HI, count: int = 1) -> Call:
    one = Occurrence(point, condition, 1, onset=0, raised_at=0, priority=Priority.HIGH)
    return Call(one, ("w",), 0, count)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("why", list(Why))
def test_every_round_has_words_in_both_languages(language, why):
    site = SiteFacts(1, "lab", "Lab 1", "Asia/Shanghai", {})
    calls = tuple(call(f"p{n}", count=2) for n in range(50))
    way = Way(1, 1, "w", "email", "x", {}, language)
    subject, body = write_message(site, Notification(1, 0, why, calls, ("w",)), calls, way=way)
    assert "Lab 1" in subject
    assert "p0" in body
    assert "10" in body.split("\n")[-3]
    assert "1970-01-01 08:00:00 +0800" in body


def test_what_was_told_is_named_by_what_it_is():
    told = call("interlock/room-2", condition=Condition.EVENT).occurrence
    assert what_text(told, "en") == "interlock tripped"
    assert what_text(call("odd/x", condition=Condition.EVENT).occurrence, "zh") == "报警"
    assert {what_text(call("p", condition=one).occurrence, "zh") for one in Condition} != {""}
