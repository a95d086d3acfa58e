from cloud.ingest.acks import ack_frames, ranges
from provisioning.keys import Ed25519Signer, verify_ed25519
from wire.codec import decode_body
from wire.frame import decode, signed_bytes
from wire.messages import Ack, AckRange

A, B = b"a" * 16, b"b" * 16


def digest(number):
    return bytes([number]) * 32


def test_ranges_have_no_holes_and_no_repetition():
    batches = [(B, 1, digest(9)), (A, 3, digest(3)), (A, 1, digest(1)), (A, 2, digest(2)), (A, 5, digest(5))]
    assert ranges([*batches, (A, 2, digest(2))]) == [
        AckRange(A, 1, [digest(1), digest(2), digest(3)]),
        AckRange(A, 5, [digest(5)]),
        AckRange(B, 1, [digest(9)]),
    ]


def test_two_hashes_of_one_number_stand_in_ranges_of_their_own():
    found = ranges([(A, 1, digest(1)), (A, 1, digest(2)), (A, 2, digest(3))])
    named = {(item.first + n, value) for item in found for n, value in enumerate(item.hashes)}
    assert named == {(1, digest(1)), (1, digest(2)), (2, digest(3))}


def test_long_acks_are_split_and_every_frame_is_signed():
    signer = Ed25519Signer.generate()
    verify = verify_ed25519(signer.public_key)
    batches = [(A, seq, digest(seq % 256)) for seq in range(1, 4501)]
    frames = ack_frames("gw", batches, new_epochs=[B], hub_time_ms=5, signer=signer)
    assert len(frames) == 3
    total = 0
    for topic, data in frames:
        opened = decode(data)
        assert verify(signed_bytes(topic, opened.body), opened.signature)
        ack = decode_body(opened.body, Ack)
        assert (ack.gateway, ack.hub_time_ms, ack.new_epoch) == ("gw", 5, [B])
        total += sum(len(item.hashes) for item in ack.committed)
    assert total == 4500
