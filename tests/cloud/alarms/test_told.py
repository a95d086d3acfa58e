"""Why a message did not go out is said in words, in the language of the page."""

import socket
import ssl
from datetime import UTC, datetime

import pytest

from cloud.notify.ways import _FAILURES, Address, Given, Message, WayError, send
from cloud.web.language import language
from cloud.web.sending_words import TOLD, say_told

MESSAGE = Message(1, "hot", "hot", datetime(2026, 1, 1, tzinfo=UTC))
CHINESE = language("zh")


def test_hook_where_nobody_listens_is_told_in_words() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        way = Address("webhook", "x", {"url": url})
        with pytest.raises(WayError, match=r"^nobody listens at this address$"):
            send(way, MESSAGE, Given(local=True))


def test_every_failure_has_words_of_the_page() -> None:
    assert {words for _, words in _FAILURES} <= set(TOLD)
    assert issubclass(ssl.SSLCertVerificationError, _FAILURES[5][0])


def test_what_is_known_is_said_in_chinese_and_what_a_far_end_said_as_it_came() -> None:
    assert say_told(CHINESE, "nobody listens at this address").text == "该地址无人接听"
    assert say_told(CHINESE, "it could not be sent: No route to host").text.startswith("未能发送：")
    assert (said := say_told(CHINESE, "HTTP 500")).text == "HTTP 500"
    assert said.lang == "en"
