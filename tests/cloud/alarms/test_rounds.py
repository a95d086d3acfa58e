"""Who is told: rounds in the turn that found them due, messages by real ways, escalation, floods."""

import asyncio
import json
from datetime import timedelta

import pytest

from cloud import alarm_acts
from cloud.alarm_acts import Alarm
from cloud.alarms.sending import AGAIN, Sender
from cloud.notify.ways import Given, MailServer
from rules.alarm.model import Condition
from tests.cloud.alarms.far_ends import mail_server, web_server
from tests.cloud.alarms.world import HI

pytestmark = pytest.mark.requirement("G-6.11", "G-6.11a")

CHAIN = {
    "chains": {
        "duty": {
            "steps": [
                {"after_ticks": 0, "recipients": ["mail"], "repeat_ticks": 30_000},
                {"after_ticks": 60_000, "recipients": ["head"]},
            ]
        }
    },
    "routes": [{"chain": "duty"}],
}


def add_way(site, name, kind, target, **secret):
    site.lab.execute(
        "INSERT INTO alarm_channels (organisation_id, name, kind, target, secret, language, author,"
        " changed_at) VALUES (1, %s, %s, %s, %s::jsonb, 'zh', 'test', now())",
        *(name, kind, target, json.dumps(secret)),
    )


def rounds(site):
    return site.lab.execute("SELECT why, jsonb_array_length(calls) FROM alarm_rounds ORDER BY number")


def messages(site):
    return site.lab.execute("SELECT channel, state, attempts FROM alarm_deliveries ORDER BY id")


async def sent(site, turn, given):
    """Send what waits as often as anything does; time goes on with each attempt."""
    return await Sender(given, lambda: site.now).send_waiting(turn.connection)


def test_alarm_is_told_again_and_then_to_the_next_until_somebody_acknowledges(site):
    site.policy(**CHAIN)
    point = site.watch(HI)

    async def scene(box, hook):
        add_way(site, "mail", "email", "ann@lab.example")
        add_way(site, "head", "wecom", "127.0.0.1", url=hook.url)
        given = Given(
            MailServer("127.0.0.1", box.port, "heng@lab.example", "none"), clock=lambda: site.now, local=True
        )
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
            assert rounds(site) == [("alarms", 1)]
            assert await sent(site, turn, given) == 1
            assert messages(site) == [("mail", "sent", 1)]
            for _ in range(11):
                site.measure(point, 24.0, step_s=60.0)
                await turn()
            await sent(site, turn, given)
            assert [channel for channel, _, _ in messages(site)] == ["mail", "mail", "head", "mail"]
            async with turn.connection.transaction():
                alarm = Alarm(1, site.names[point], Condition.HI)
                await alarm_acts.acknowledge(site.act(turn.connection), alarm)
            for _ in range(20):
                site.measure(point, 24.0, step_s=60.0)
                await turn()
            assert len(messages(site)) == 4

    with mail_server() as box, web_server() as hook:
        asyncio.run(scene(box, hook))
        assert "room-" in box.mails[0].get_content()
        assert "偏高" in box.mails[0].get_content()
        assert "24.00 °C" in hook.posts[0][1]["text"]["content"]


def test_escalation_and_shelves_go_on_over_a_restart_of_the_hub(site):
    site.policy(**CHAIN)
    point = site.watch(HI, period_ms=None)

    async def scene():
        add_way(site, "mail", "email", "ann@lab.example")
        add_way(site, "head", "email", "bob@lab.example")
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
        site.now += timedelta(minutes=11)
        async with site.keeper() as turn:
            assert sorted(channel for channel, _, _ in messages(site)) == ["head", "mail", "mail"]
            async with turn.connection.transaction():
                alarm = Alarm(1, site.names[point], Condition.HI)
                until = site.now + timedelta(hours=1)
                await alarm_acts.shelve(site.act(turn.connection), alarm, until=until, text="new fan")
        site.now += timedelta(minutes=50)
        async with site.keeper() as turn:
            assert len(messages(site)) == 3
            await turn(after_s=700)
            assert len(messages(site)) == 4

    asyncio.run(scene())


def test_message_that_is_not_taken_is_tried_again_and_then_given_up(site):
    site.policy(**CHAIN)
    point = site.watch(HI)

    async def scene(hook):
        add_way(site, "mail", "webhook", "127.0.0.1", url=hook.url)
        async with site.keeper() as turn:
            site.measure(point, 24.0)
            await turn()
            for wait in (*AGAIN, timedelta(hours=1)):
                assert await sent(site, turn, Given(local=True)) == 1
                assert await sent(site, turn, Given(local=True)) == 0
                site.now += wait
            assert messages(site) == [("mail", "given_up", len(AGAIN) + 1)]
            told = site.lab.execute("SELECT sent, told FROM alarm_attempts")
            assert told == [(False, "HTTP 500")] * (len(AGAIN) + 1)

    with web_server() as hook:
        hook.status = 500
        asyncio.run(scene(hook))
        assert {post[1]["delivery"] for post in hook.posts} == {hook.posts[0][1]["delivery"]}


def test_storm_gives_few_rounds_and_loses_no_alarm(site):
    site.policy(**CHAIN)
    points = [site.watch(HI | {"priority": 1 + n % 4}, period_ms=None) for n in range(12)]

    async def scene():
        add_way(site, "mail", "email", "ann@lab.example")
        async with site.keeper() as turn:
            for minute in range(10):
                for value, rest_s in ((24.0, 29), (20.0, 30)):
                    site.measure_all(points, value)
                    await turn(after_s=rest_s)
                assert len(rounds(site)) <= 10, minute

    asyncio.run(scene())
    found = site.lab.execute("SELECT count(*) FROM alarm_occurrences")
    told = site.lab.execute(
        "SELECT count(DISTINCT c->>'alarm') FROM alarm_rounds, jsonb_array_elements(calls) c"
    )
    assert (found, told) == ([(120,)], [(120,)])
    assert {why for why, _ in rounds(site)} >= {"flood_began", "digest"}
