"""A fault leads to the line of the text that it speaks of, or to the nearest one above."""

import pytest

from cloud.web.settings_lines import line_of

TEXT = """\
# first
[clock]
drift_ppm = 5
[[device]]
name = "room"
[[device.unit]]
address = 1
[[device]]
name = "car"
[[device.unit]]
address = 2
[[device.unit]]
address = 3
[device.http]
port = 1
[[interlock]]
name = "Room 2, air"
[[interlock.group]]
name = "car"
[[equipment]]
id = "balance-1"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("clock.drift_ppm", 3),
        ("clock.sources", 2),
        ("device", 4),
        ("device[0].name", 5),
        ("device[0].unit[0].address", 7),
        ("device[1].unit[1].address", 13),
        ("device[1].unit[1].profile", 12),
        ("device[1].http.port", 15),
        ("device[1].unit[7].address", 8),
        ("device car", 9),
        ("device nobody", None),
        ("uplink", None),
        ("interlock Room 2, air", 17),
        ("interlock Room 2, air/car", 17),
        ("interlock car", None),
        ("interlock[0].group[0].cause", 18),
        ("equipment balance-1", 21),
    ],
)
def test_fault_leads_to_its_line(path: str, line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_fault_of_the_text_itself_names_its_line() -> None:
    assert line_of("[[x", "document", "Expected ']]' (at line 1, column 4)") == 1
    assert line_of("[[x", "document", "unreadable (at end of document)") is None
