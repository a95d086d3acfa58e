"""A story says of a message what was seen of it: only what was taken was sent."""

import pytest

from cli.demo.stories.scenes import message_told
from cli.demo.stories.teller import said_of
from cli.demo.web import Answer

MESSAGE = {"channel": "head", "subject": "hot", "attempts": 1, "told": ""}


@pytest.mark.parametrize(
    ("state", "answered", "said"),
    [
        ("sent", "HTTP 200", "sent to head: hot"),
        ("waiting", "", "waits to be sent to head (not tried yet; the demo's ways lead nowhere): hot"),
        (
            "waiting",
            "refused",
            "waits to be sent to head (not sent at attempt 1: refused; the demo's ways lead nowhere): hot",
        ),
        ("given_up", "refused", "not sent to head, given up after 1 attempts (refused): hot"),
    ],
)
def test_message_is_told_as_what_became_of_it(state: str, answered: str, said: str) -> None:
    assert message_told({**MESSAGE, "state": state, "told": answered}) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>", "the hub answered 409"),
        ('{"detail": ""}', "the hub answered 409"),
        ('{"detail": "Not done: Say why.", "errors": []}', "the hub answered 409: Not done: Say why"),
        (
            '{"detail": "people: expected a number.", "errors": [{"field": "people", "value": "9"}]}',
            "the hub answered 409: people: expected a number (people 9)",
        ),
    ],
)
def test_answer_of_the_hub_is_told_as_a_sentence(text: str, said: str) -> None:
    assert said_of(Answer(409, text)) == said
