"""Builds and parses every MQTT topic; no other module spells one."""

import re
from dataclasses import dataclass
from enum import StrEnum

from wire.errors import TopicError

PREFIX = "heng/1"
GATEWAY_ID = re.compile(r"[a-z0-9-]{1,63}")


class Channel(StrEnum):
    """The last two levels of a topic: direction and what travels there."""

    UP_BATCH = "up/batch"
    UP_POINTS = "up/points"
    UP_STATUS = "up/status"
    UP_RESULT = "up/result"
    UP_REPORTED = "up/reported"
    UP_CONTROL = "up/control"
    DOWN_ACK = "down/ack"
    DOWN_COMMAND = "down/command"
    DOWN_DESIRED = "down/desired"
    DOWN_RIGHTS = "down/rights"
    DOWN_WORK = "down/work"


RETAINED = frozenset(
    {
        *(Channel.UP_POINTS, Channel.UP_STATUS, Channel.UP_REPORTED, Channel.UP_CONTROL),
        *(Channel.DOWN_DESIRED, Channel.DOWN_RIGHTS, Channel.DOWN_WORK),
    }
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One concrete topic."""

    gateway: str
    channel: Channel

    def __str__(self) -> str:
        return f"{PREFIX}/{self.gateway}/{self.channel.value}"


def check_gateway_id(gateway: str) -> str:
    """Return the id unchanged, or raise `TopicError` when it is not 1 to 63 of ``a-z 0-9 -``."""
    if not GATEWAY_ID.fullmatch(gateway):
        raise TopicError(f"gateway id {gateway[:80]!r}: expected 1 to 63 characters of a-z, 0-9 and '-'")
    return gateway


def build(gateway: str, channel: Channel) -> str:
    """Return the topic string of one gateway's channel; `TopicError` for a malformed id."""
    return f"{PREFIX}/{check_gateway_id(gateway)}/{channel.value}"


def parse(topic: str) -> Topic:
    """Return gateway and channel of a topic string; `TopicError` when it is not one of ours."""
    levels = topic.split("/", 3)
    if len(levels) != 4 or f"{levels[0]}/{levels[1]}" != PREFIX:
        raise TopicError(f"topic {topic[:120]!r}: expected {PREFIX}/<gateway>/<direction>/<what>")
    try:
        channel = Channel(levels[3])
    except ValueError:
        raise TopicError(f"topic {topic[:120]!r}: expected one of {[c.value for c in Channel]}") from None
    return Topic(check_gateway_id(levels[2]), channel)


def subscription(channel: Channel, share: str | None = None) -> str:
    """Return the filter for one channel of all gateways, shared among workers when a share name is given."""
    plain = f"{PREFIX}/+/{channel.value}"
    return f"$share/{share}/{plain}" if share else plain
