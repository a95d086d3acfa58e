"""Topics are built and parsed by one module, and only ours are accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.errors import TopicError
from wire.topics import RETAINED, Channel, Topic, build, parse, subscription

GATEWAYS = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)


@given(GATEWAYS, st.sampled_from(Channel))
def test_built_topic_parses_back(gateway: str, channel: Channel) -> None:
    assert parse(build(gateway, channel)) == Topic(gateway, channel)
    assert str(parse(build(gateway, channel))) == build(gateway, channel)


@given(st.text() | st.text("heng/1up+#batchck$", max_size=40))
def test_any_text_parses_or_raises_topic_error(text: str) -> None:
    try:
        topic = parse(text)
    except TopicError:
        return
    assert str(topic) == text


@pytest.mark.parametrize(
    "gateway", ["", "a" * 64, "Lab", "lab_1", "lab/1", "lab-1\n", "+", "#", "实验室", "lab 1", "lab\0"]
)
def test_malformed_gateway_is_never_built(gateway: str) -> None:
    with pytest.raises(TopicError):
        build(gateway, Channel.UP_BATCH)


@pytest.mark.parametrize(
    "topic",
    [
        "heng/1/lab-1/up/batch/more",
        "/heng/1/lab-1/up/batch",
        "heng/1/lab-1/up",
        "heng/1/lab-1/up/batch/",
        "heng/1//up/batch",
        "heng/1/+/up/batch",
        "heng/2/lab-1/up/batch",
        "heng/1/lab-1/UP/BATCH",
    ],
)
def test_foreign_topic_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        parse(topic)


def test_workers_share_a_subscription_by_name() -> None:
    assert subscription(Channel.UP_BATCH) == "heng/1/+/up/batch"
    assert subscription(Channel.UP_BATCH, "secret") == "$share/secret/heng/1/+/up/batch"


def test_batches_acks_and_commands_are_never_retained() -> None:
    assert RETAINED & {Channel.UP_BATCH, Channel.DOWN_ACK, Channel.DOWN_COMMAND, Channel.UP_RESULT} == set()
