"""Both catalogues hold every message of the pages, and the right language is chosen."""

import re

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from cloud.web import words
from cloud.web.language import FOLDER, LANGUAGES, choose, language
from wire.quantities import QUANTITIES
from wire.status import GapCause, Status

METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
PLACES = re.compile(r"%\((\w+)\)[sd]|%%")


def _messages() -> set[str]:
    found = extract_from_dir(str(FOLDER.parent), METHODS, keywords={"mark": None, "_": None})
    return {str(message) for _, _, message, _, _ in found}


def test_messages_are_found_in_templates_and_words() -> None:
    assert {"Skip to content", "Suspected offline", "due = stored + explained + unexplained"} <= _messages()


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_catalogue_is_complete_and_has_nothing_else(code: str) -> None:
    with (FOLDER / f"{code}.po").open("rb") as file:
        catalogue = {entry.id: entry.string for entry in read_po(file) if entry.id}
    assert set(catalogue) == _messages()
    assert [message for message, said in catalogue.items() if not said] == []


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_translation_keeps_the_places_of_its_message(code: str) -> None:
    with (FOLDER / f"{code}.po").open("rb") as file:
        for entry in read_po(file):
            if entry.id:
                assert sorted(PLACES.findall(entry.string)) == sorted(PLACES.findall(entry.id)), entry.id


def test_chinese_is_chinese() -> None:
    same = {message for message in _messages() if language("zh").say(message) == message}
    assert same == {"GPS"}


def test_every_status_and_cause_has_its_word() -> None:
    assert set(words.STATUSES) == {status.name.lower() for status in Status} - {"good"}
    assert set(words.CAUSES) == set(words.CAUSE_WORDS) == {cause.value for cause in GapCause}


@pytest.mark.parametrize("name", sorted(QUANTITIES))
def test_quantity_is_named_by_the_contract(name: str) -> None:
    assert language("zh").quantity(name) == QUANTITIES[name].chinese
    assert language("en").quantity(name) == QUANTITIES[name].english


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "chosen"),
    [
        ("zh", "en", "en", "zh"),
        (None, "zh", "en", "zh"),
        ("xx", None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, None, "en-US,en;q=0.9,zh;q=0.8", "en"),
        (None, None, "fr, zh;q=0.5, en;q=0.4", "zh"),
        (None, None, "zh;q=0, en;q=0.1", "en"),
        (None, None, "zh;q=oops", "en"),
        (None, None, None, "en"),
    ],
)
def test_language_is_asked_then_remembered_then_accepted(asked, remembered, accepted, chosen) -> None:
    assert choose(asked=asked, remembered=remembered, accepted=accepted) == chosen
