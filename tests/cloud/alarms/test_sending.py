"""Each message on its own: a way that fails or takes long concerns nobody else. Real sockets and database."""

import asyncio

import pytest

from cloud.alarms.sending import MOST, Sender
from cloud.notify.ways import Given
from tests.cloud.alarms.far_ends import dripping_server, web_server
from tests.cloud.alarms.test_rounds import add_way, messages

pytestmark = pytest.mark.requirement("G-6.11a")


def wait(site, channel, count=1):
    for _ in range(count):
        site.lab.execute(
            "INSERT INTO alarm_deliveries (organisation_id, channel, subject, body, state, next_at,"
            " created_at) VALUES (1, %s, 'hot', 'room-2', 'waiting', %s, %s)",
            *(channel, site.now, site.now),
        )


def attempts(site):
    return site.lab.execute(
        "SELECT d.channel, a.sent, a.told FROM alarm_attempts a JOIN alarm_deliveries d"
        " ON d.id = a.delivery_id ORDER BY d.id"
    )


async def sent(site, given, **more):
    async with site.connection() as connection:
        return await Sender(given, lambda: site.now, **more).send_waiting(connection)


def test_way_that_makes_no_sense_fails_alone_and_is_noted(site):
    with web_server() as hook:
        add_way(site, "wrong", "webhook", "hooks..invalid", url="http://hooks..invalid/x")
        add_way(site, "right", "webhook", "127.0.0.1", url=hook.url)
        for channel in ("right", "wrong", "gone", "right"):
            wait(site, channel)
        assert asyncio.run(sent(site, Given(local=True))) == 4
        assert len(hook.posts) == 2
    states = [("right", "sent", 1), ("wrong", "waiting", 1), ("gone", "given_up", 1), ("right", "sent", 1)]
    assert messages(site) == states


def test_fault_of_a_provider_concerns_its_own_message_alone(site):
    class Provider:
        def send(self, numbers: tuple[str, ...], text: str, *, key: str) -> str:
            raise ZeroDivisionError

    with web_server() as hook:
        add_way(site, "sms", "sms", "+86 1")
        add_way(site, "right", "webhook", "127.0.0.1", url=hook.url)
        for channel in ("sms", "right"):
            wait(site, channel)
        assert asyncio.run(sent(site, Given(sms=Provider(), local=True))) == 2
    assert attempts(site) == [
        ("sms", False, "it cannot be sent so: ZeroDivisionError"),
        ("right", True, "HTTP 200"),
    ]


def test_what_a_robot_says_is_noted_also_when_it_is_no_text(site):
    with web_server() as hook:
        hook.answer = {"errcode": 1, "errmsg": "no\0\ud800!"}
        add_way(site, "robot", "wecom", "127.0.0.1", url=hook.url)
        wait(site, "robot")
        assert asyncio.run(sent(site, Given(local=True))) == 1
    assert attempts(site) == [("robot", False, "errcode 1: no  !")]


def test_server_that_drips_is_cut_and_holds_up_nobody(site):
    with dripping_server() as slow, web_server() as hook:
        add_way(site, "slow", "webhook", "127.0.0.1", url=slow)
        add_way(site, "right", "webhook", "127.0.0.1", url=hook.url)
        wait(site, "slow", MOST.of_way + 3)
        wait(site, "right", 5)

        async def scene():
            async with asyncio.timeout(5), site.connection() as connection:
                sender = Sender(Given(local=True), lambda: site.now, deadline_s=0.3)
                assert await sender.send_waiting(connection) == MOST.of_way + 8

        asyncio.run(scene())
    assert {(channel, told) for channel, _, told in attempts(site)} == {
        ("slow", "no answer in time"),
        ("right", "HTTP 200"),
    }


def test_slow_way_takes_few_places_and_the_others_are_noted_meanwhile(site):
    with dripping_server() as slow, web_server() as hook:
        add_way(site, "slow", "webhook", "127.0.0.1", url=slow)
        add_way(site, "right", "webhook", "127.0.0.1", url=hook.url)
        wait(site, "slow", 40)
        wait(site, "right", 3)

        async def scene():
            async with site.connection() as connection, asyncio.TaskGroup() as group:
                running = group.create_task(
                    Sender(Given(local=True), lambda: site.now).run(connection, lambda: None)
                )
                for _ in range(200):
                    if len(attempts(site)) == 3:
                        break
                    await asyncio.sleep(0.02)
                running.cancel()

        asyncio.run(scene())
    assert attempts(site) == [("right", True, "HTTP 200")] * 3
