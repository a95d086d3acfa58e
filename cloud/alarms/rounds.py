"""Rounds of messages: what is due is written down as messages that wait, in the turn that found it due."""

from cloud.notify.texts import write_message
from cloud.store import alarm_messages
from cloud.store.alarm_desk import Kept
from cloud.store.connection import Connection
from cloud.store.ticks import datetime_of_us, us_of_tick
from rules.alarm.calls import due, part_of, told
from rules.alarm.desk import Desk


async def next_round(connection: Connection, kept: Kept, desk: Desk) -> Desk:
    """Return the desk after the round that is due, with its messages written; as it is when none is."""
    round_ = due(desk, kept.policy, desk.now)
    if round_ is None:
        return desk
    site = await alarm_messages.site_of(connection, kept.site_id)
    channels = await alarm_messages.channels(connection, kept.organisation_id, round_.recipients)
    round_id = await alarm_messages.keep_round(connection, kept.organisation_id, kept.site_id, round_=round_)
    waiting = [
        alarm_messages.NewMessage(
            channel.name, *write_message(site, round_, part_of(round_, channel.name), way=channel)
        )
        for channel in channels
    ]
    await alarm_messages.keep_messages(
        connection,
        kept.organisation_id,
        kept.site_id,
        round_id=round_id,
        messages=waiting,
        at=datetime_of_us(us_of_tick(round_.at)),
    )
    return told(desk, kept.policy, round_)
