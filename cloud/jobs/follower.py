"""Follows the feed of batches and judges the jobs that it touches, so that no late row is missed.

A position of the feed is kept once everything before it was judged: after a restart it goes on there, and
judging again what is known changes nothing.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg

from cloud.job_judging import Window, judge
from cloud.store import feed, jobs, jobs_interlocks
from cloud.store.connection import Connection
from cloud.store.jobs import Fed, at_tick
from rules.access.words import JobState

_log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=1)


async def follow(connection: Connection, *, now: datetime) -> int:
    """Judge what is new since the last time; return how many jobs were judged."""
    after = await jobs.feed_position(connection)
    head = await feed.head(connection)
    if after is None:
        judged = await _judge_all(connection, now=now)
    elif head <= after:
        return await _judge_open(connection, now=now)
    else:
        judged = await _judge_fed(connection, await jobs.fed_since(connection, after, head), now=now)
    await jobs.keep_feed_position(connection, max(head, after or 0))
    return judged


async def _judge_all(connection: Connection, *, now: datetime) -> int:
    """Judge every job that is under way over its whole time: nothing is known of how far it was judged."""
    found = await jobs.list_jobs(connection, under_way=True, limit=None)
    for one in found:
        assert one.job.started_at is not None
        await _judge(connection, one.id, [Window(at_tick(one.job.started_at), now + OVERLAP)], now=now)
    return len(found)


async def _judge_open(connection: Connection, *, now: datetime) -> int:
    """Judge jobs under way by what is no row of the feed: interlocks of the hub."""
    found = await _across(connection)
    for job_id in found:
        await _judge(connection, job_id, [], now=now)
    return len(found)


async def _across(connection: Connection) -> list[int]:
    """Return the jobs under way that an interlock of the hub may hold."""
    places = await jobs_interlocks.places_held(connection)
    if not places:
        return []
    return [
        one.id
        for one in await jobs.list_jobs(connection, under_way=True, limit=None)
        if (one.organisation_id, f"{one.site}/{one.job.zone}") in places
    ]


async def _judge_fed(connection: Connection, fed: Sequence[Fed], *, now: datetime) -> int:
    windows: dict[int, list[Window]] = {job_id: [] for job_id in await _across(connection)}
    for new in fed:
        window = Window(new.from_at - OVERLAP, new.to_at + OVERLAP)
        for site in await jobs.sites_served(connection, new.gateway_id):
            stretch = {"from_at": window.from_at, "to_at": window.to_at}
            touched = await jobs.list_jobs(connection, site=site, limit=None, **stretch)
            for one in touched:
                if one.job.state is not JobState.PLANNED:
                    windows.setdefault(one.id, []).append(window)
    for job_id, found in windows.items():
        await _judge(connection, job_id, found, now=now)
    return len(windows)


async def _judge(connection: Connection, job_id: int, windows: Sequence[Window], *, now: datetime) -> None:
    try:
        async with connection.transaction():
            await judge(connection, job_id, windows, now=now)
    except psycopg.DataError:  # of one job, and not what others have to wait for
        _log.exception("jobs: job %s cannot be judged", job_id)
