"""No person is numbered so that a gateway could take them for the hub."""

from pathlib import Path

import pytest

from cloud.identity.acts import NOT_THE_HUB, ActError, add_person, names_the_hub
from cloud.identity.people_file import read_people_file
from cloud.web.language import language
from cloud.web.people_pages import say_fault
from rules.command import HUB

FILE = """
organisation = "Lab"
[[person]]
number = "{number}"
name = "Anna"
"""


@pytest.mark.parametrize(
    ("number", "taken"),
    [
        (HUB, True),
        (f"{HUB} the vehicle moves", True),
        (f" {HUB}\u00a0x", True),
        (f"{HUB}-7", False),
        (f"7 {HUB}", False),
        ("", False),
    ],
)
def test_number_that_stands_for_the_hub_is_none_of_a_people_file(
    tmp_path: Path, number: str, *, taken: bool
) -> None:
    assert names_the_hub(number) is taken
    file = tmp_path / "people.toml"
    file.write_text(FILE.format(number=number), "utf-8")
    _, faults = read_people_file(file)
    assert [(one.path, one.expectation) for one in faults if one.expectation == NOT_THE_HUB] == (
        [("person[0].number", NOT_THE_HUB)] if taken else []
    )


def test_person_is_not_entered_by_the_name_of_the_hub(in_house, lab):
    async def scene(house):
        async with house.act() as act:
            with pytest.raises(ActError) as refused:
                await add_person(act, 1, number=" hub  x ", name="Anna", department="")
        return refused.value

    error = in_house(scene)
    assert (error.field, error.value, error.expected) == ("number", "hub x", NOT_THE_HUB)
    assert "工号" in say_fault(error, language("zh").say)
    assert lab.execute("SELECT * FROM people WHERE number = 'hub x'") == []
