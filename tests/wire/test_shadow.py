"""Settings as the hub wants them and as they run: how revisions are ordered and documents are named."""

import hashlib

from wire.shadow import OWN_FILE, Revision, document_hash


def test_a_restored_hub_is_ahead_of_the_one_before_it() -> None:
    revisions = [Revision(2, 1), Revision(1, 9), OWN_FILE, Revision(1, 10)]
    assert sorted(revisions, key=lambda one: one.order) == [
        OWN_FILE,
        Revision(1, 9),
        Revision(1, 10),
        Revision(2, 1),
    ]


def test_a_document_is_named_by_its_bytes_whatever_they_are() -> None:
    assert document_hash("衡 = 1\n") == hashlib.sha256("衡 = 1\n".encode()).digest()
    assert document_hash("\ud800") != document_hash("?")
