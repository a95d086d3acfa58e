"""What a full mailbox drops is sent again; births and declarations are not, and stay."""

import asyncio
from datetime import UTC, datetime

from cloud.mqtt import TOLD_MAX, Arrived, Mailbox

AT = datetime(2026, 1, 1, tzinfo=UTC)
BATCH, STATUS, POINTS = "heng/1/g/up/batch", "heng/1/g/up/status", "heng/1/g/up/points"


def message(topic, text=b"x"):
    return Arrived(topic, text, AT)


def taken(mailbox, messages_max=100, bytes_max=10**6):
    return asyncio.run(mailbox.take(messages_max, bytes_max))


def test_batches_are_dropped_beyond_the_bounds_and_counted():
    by_number, by_bytes = Mailbox(2, 10**6), Mailbox(100, 4)
    for mailbox in (by_number, by_bytes):
        for text in (b"aaa", b"bbb", b"ccc"):
            mailbox.put(message(BATCH, text))
        assert (len(mailbox), mailbox.received, mailbox.dropped) == (2, 3, 1)
        assert [one.payload for one in taken(mailbox)] == [b"aaa", b"bbb"]


def test_no_birth_or_declaration_is_dropped_for_what_others_sent():
    mailbox = Mailbox(2, 4)
    for n in range(10):
        mailbox.put(message(BATCH, b"batch"))
        mailbox.put(message(f"heng/1/g{n}/up/points", bytes(1000)))
        mailbox.put(message(f"heng/1/g{n}/up/status", bytes(1000)))
    told = [one.topic for one in taken(mailbox) if one.topic != BATCH]
    assert told == [f"heng/1/g{n}/up/{word}" for n in range(10) for word in ("points", "status")]


def test_of_one_topic_the_newest_stay():
    mailbox = Mailbox(100, 10**6)
    mailbox.put(message(POINTS, b"other"))
    for n in range(TOLD_MAX + 3):
        mailbox.put(message(STATUS, b"%d" % n))
    assert mailbox.dropped == 3
    found = [one.payload for one in taken(mailbox)]
    assert found == [b"other", *(b"%d" % n for n in range(3, TOLD_MAX + 3))]


def test_births_come_before_the_batches_that_need_them_and_batches_in_parts():
    mailbox = Mailbox(100, 10**6)
    for n in range(5):
        mailbox.put(message(BATCH, b"%d" % n))
    mailbox.put(message(STATUS))
    assert [one.topic for one in taken(mailbox, 2)] == [STATUS, BATCH, BATCH]
    assert [one.payload for one in taken(mailbox, 100, 2)] == [b"2", b"3"]
    assert [one.payload for one in taken(mailbox)] == [b"4"]
    assert len(mailbox) == 0
