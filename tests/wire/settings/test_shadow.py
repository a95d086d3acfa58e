"""What the hub may say of a gateway's settings, and how it is joined with the gateway's own file."""

import tomllib

import pytest

from wire.settings.shadow import check_text, joined, shadow_of
from wire.shadow import DOCUMENT_BYTES_MAX

GNSS = '[[device]]\ndriver = "gnss"\nname = "gps"\nprefix = "car"\n'


def test_document_wins_for_whole_sections_and_never_for_those_of_the_file() -> None:
    own = {"gateway": {"id": "a"}, "journal": {"bytes_max": 1, "age_max_d": 2}, "device": [1]}
    document = {"gateway": {"id": "b"}, "journal": {"bytes_max": 3}, "device": [2]}
    assert joined(own, document) == {
        "gateway": {"id": "a"},
        "journal": {"bytes_max": 3},
        "device": [2],
    }


def test_own_sections_are_left_out_of_what_is_shown() -> None:
    assert tomllib.loads(shadow_of({"gateway": {"id": "a"}, "uplink": {"host": "h"}, "clock": {}})) == {
        "clock": {}
    }


def test_right_document_has_no_faults() -> None:
    found, faults = check_text(GNSS)
    assert faults == []
    assert found is not None
    assert found.device[0].name == "gps"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("[[device", ["document"]),
        ("a = " + "[" * 9000, ["document"]),
        ("#" * (DOCUMENT_BYTES_MAX + 1), ["document"]),
        ("a = '\ud800'", ["document"]),
        ("", ["device"]),
        (
            '[uplink]\nhost = "x"\n[gateway]\n[journal]\nbytes_max = 1\n' + GNSS,
            ["gateway", "uplink", "journal.bytes_max"],
        ),
        (GNSS + GNSS, ["device[1].name"]),
    ],
)
def test_all_faults_come_at_once(text: str, paths: list[str]) -> None:
    found, faults = check_text(text)
    assert found is None
    assert [fault.path for fault in faults] == paths
