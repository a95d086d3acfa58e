"""Claim codes: easy to type, hard to guess, never kept; claim files and QR codes say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.claim import (
    ALPHABET,
    CODE_CHARACTERS,
    Claim,
    claim_uri,
    hash_code,
    hub_address,
    is_code,
    new_code,
    plain_code,
    read_claim,
    write_claim,
)
from provisioning.errors import RequestError

pytestmark = pytest.mark.requirement("G-7.2a")

GOOD = Claim(url="https://hub.example:8885", ca_sha256="0f" * 32, gateway="lab-1", code="ABCD-EFGH")


def test_codes_are_worth_forty_bits_and_are_read_without_doubt():
    assert len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(len(plain_code(code)) == CODE_CHARACTERS for code in codes)


def test_code_is_found_by_its_hash_alone():
    kept = hash_code("ABCD-EFGH")
    assert is_code("abcdefgh", kept)
    assert not is_code("ABCD-EFGJ", kept)
    assert not is_code("", kept)
    assert kept != hash_code("ABCD-EFGH")


@pytest.mark.parametrize("text", ["", "ABCDEFG", "ABCDEFGHJ", "ABCD EFG!", "ÄBCDEFGH", "A" * 10_000])
def test_what_cannot_be_a_code_is_refused(text):
    with pytest.raises(RequestError, match="expected 8 digits and letters"):
        plain_code(text)


def test_file_and_qr_code_say_the_same():
    assert read_claim(write_claim(GOOD)) == read_claim(claim_uri(GOOD).encode()) == GOOD
    assert len(claim_uri(GOOD)) < 200


def test_claim_shows_no_code_when_it_is_printed():
    assert "ABCD" not in repr(GOOD)


@given(st.binary(max_size=300))
def test_noise_is_refused_in_words(noise):
    with pytest.raises(RequestError):
        read_claim(noise)


@given(st.text(max_size=60))
def test_noise_behind_the_scheme_is_refused_in_words(noise):
    with pytest.raises(RequestError):
        read_claim(f"heng:1?{noise}".encode())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hub",
        "http://hub",
        "https://",
        "https://hub:x",
        "https://u:p@hub",
        "https://hub/x",
        "https://[::1",
        "https://hub:0",
        f"https://{'a' * 64}.example:8885",
        "https://hub..example",
    ],
)
def test_address_that_is_none_is_refused(url):
    with pytest.raises(RequestError, match="expected https://host:port"):
        hub_address(url)


def test_address_is_taken_apart():
    assert hub_address("https://hub.example") == ("hub.example", 443)
    assert hub_address("https://[::1]:8885/") == ("::1", 8885)
