import asyncio

import pytest

from cloud.identity.secrets import Passwords, password_fault, seed_address, token_hash, totp, totp_step

SEED = b"12345678901234567890"


@pytest.mark.parametrize(
    ("unix_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_the_appendix_of_rfc_6238(unix_s, code):
    assert totp(SEED, unix_s // 30) == code[-6:]


def test_code_counts_a_step_early_and_late_and_no_more():
    assert [totp_step(SEED, totp(SEED, 100), unix_s=30 * step) for step in (98, 99, 100, 101, 102)] == [
        None,
        100,
        100,
        100,
        None,
    ]


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "123 45"])
def test_what_is_no_code_belongs_to_no_step(code):
    assert totp_step(SEED, code, unix_s=0) is None


def test_password_is_kept_as_argon2id_and_fits_itself_alone():
    async def scene():
        passwords = Passwords()
        kept = await passwords.hash("correct horse battery")
        return kept, [await passwords.fits(one, kept) for one in ("correct horse battery", "wrong", "")]

    kept, fits = asyncio.run(scene())
    assert kept.startswith("$argon2id$")
    assert fits == [True, False, False]


def test_unknown_login_takes_the_same_work_and_never_fits():
    assert asyncio.run(Passwords().fits("anything", None)) is False


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("short", False),
        ("aaaaaaaaaaaa", False),
        ("my-anna-password", False),
        ("x" * 300, False),
        ("纸上得来终觉浅绝知此事要躬行", True),
        ("correct horse", True),
    ],
)
def test_new_password_is_long_and_is_not_the_login(password, good):
    assert (password_fault(password, "anna") == "") == good


def test_tokens_are_kept_as_hashes_and_the_seed_is_given_as_authenticators_read_it():
    assert len(token_hash("a")) == 32
    assert seed_address(SEED, "a@b") == (
        "otpauth://totp/Heng:a%40b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Heng"
    )
