import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provisioning import certificates
from provisioning.errors import IdentityError
from provisioning.keys import Ed25519Signer, key_id_of, verify_ed25519
from wire import frame

# RFC 8032, section 7.1, test 3.
SECRET = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
MESSAGE = bytes.fromhex("af82")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_signature_is_that_of_rfc_8032():
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(SECRET))
    assert (signer.public_key, signer.sign(MESSAGE)) == (PUBLIC, SIGNATURE)
    assert verify_ed25519(PUBLIC)(MESSAGE, SIGNATURE)


def test_key_id_begins_the_hash_of_the_public_key():
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(SECRET))
    assert signer.key_id == key_id_of(PUBLIC) == hashlib.sha256(PUBLIC).digest()[:8]


@pytest.mark.parametrize("bit", [0, 7, 255, 256, 511])
def test_one_flipped_bit_of_a_signature_is_refused(bit):
    damaged = bytearray(SIGNATURE)
    damaged[bit // 8] ^= 1 << bit % 8
    assert not verify_ed25519(PUBLIC)(MESSAGE, bytes(damaged))


@pytest.mark.parametrize("data", [b"", b"\xaf", b"\xaf\x83", b"\xaf\x82\x00"])
def test_signature_of_other_data_is_refused(data):
    assert not verify_ed25519(PUBLIC)(data, SIGNATURE)


@pytest.mark.parametrize("signature", [b"", SIGNATURE[:-1], SIGNATURE + b"\0"])
def test_signature_of_wrong_length_is_refused(signature):
    assert not verify_ed25519(PUBLIC)(MESSAGE, signature)


def test_signature_of_another_key_is_refused():
    assert not verify_ed25519(Ed25519Signer.generate().public_key)(MESSAGE, SIGNATURE)


def test_pem_carries_the_same_key():
    signer = Ed25519Signer.generate()
    again = Ed25519Signer.from_pem(signer.to_pem())
    assert (again.public_key, again.sign(b"x")) == (signer.public_key, signer.sign(b"x"))


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", certificates.key_to_pem(certificates.new_key())], ids=["empty", "text", "p256"]
)
def test_pem_of_anything_else_is_refused(pem):
    with pytest.raises(IdentityError, match="Ed25519 key"):
        Ed25519Signer.from_pem(pem)


def test_public_key_of_wrong_length_is_refused():
    with pytest.raises(IdentityError, match="31 bytes: expected 32"):
        verify_ed25519(PUBLIC[:-1])


def test_signer_signs_frames():
    signer = Ed25519Signer.generate()
    found = frame.decode(frame.encode("heng/1/lab-1/up/batch", b"{}", signer))
    signed = frame.signed_bytes("heng/1/lab-1/up/batch", found.body)
    assert found.key_id == signer.key_id
    assert verify_ed25519(signer.public_key)(signed, found.signature)


def test_private_key_does_not_show():
    signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(SECRET))
    assert SECRET.hex() not in repr(signer)
    assert signer.key_id.hex() in repr(signer)
