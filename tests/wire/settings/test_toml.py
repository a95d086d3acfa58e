"""What is written as TOML is read back as it was."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.settings.toml import to_toml

SAMPLES = sorted((Path(__file__).parents[3] / "edge/drivers").glob("*/sample.toml"))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXT
    | st.datetimes()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.parent.name)
def test_sample_settings_are_read_back(sample: Path) -> None:
    document = tomllib.loads(sample.read_text("utf-8"))
    assert tomllib.loads(to_toml(document)) == document


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_any_document_is_read_back(document: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(document)) == document


@pytest.mark.parametrize("value", [None, "\ud800", b"bytes"])
def test_what_toml_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        to_toml({"a": [value]})
