import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.api.errors import ApiError
from cloud.web.uploads import parse

BODY = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n2\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="c.pdf"\r\nContent-Type: x/y\r\n\r\n'
    b"\r\n\x00\xff--x-no\r\n\r\n--x--\r\n"
)


def test_fields_and_file_come_through_byte_for_byte() -> None:
    found = parse(BODY, b"x")
    assert found.fields == {"a": "1\r\n2"}
    assert (found.file, found.file_name) == (b"\r\n\x00\xff--x-no\r\n", "c.pdf")


@pytest.mark.parametrize(
    "body",
    [b"", b"--x", b"--x\r\n\r\n--x--", b'--x\r\nname="a"\r\n1\r\n--x--', BODY[:-10], b"y" + BODY],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        assert parse(body, b"x").fields == {"never": "reached"}
    assert caught.value.status == 422


@given(st.binary(max_size=200))
def test_no_body_is_a_defect(body: bytes) -> None:
    with contextlib.suppress(ApiError):
        parse(b"--x\r\n" + body + b"\r\n--x--", b"x")
