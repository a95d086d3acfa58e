"""Settings on their way down, at the hands of whoever owns the broker: forged, cut off, altered, sent again.

Byte by byte that is in tests/edge/test_verified.py; here is what becomes of it at the gateway.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from edge.verified import verified
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from tests.edge.shadow.conftest import process as process
from tests.edge.shadow.conftest import unit, wish
from wire import frame
from wire.codec import encode_body
from wire.errors import WireError
from wire.messages import Ack
from wire.shadow import Desired, Revision, document_hash
from wire.topics import Channel, build

pytestmark = pytest.mark.requirement("G-7.2b", "G-4.3a")

NAME = "lab-1"
TOPIC = build(NAME, Channel.DOWN_DESIRED)
Sign = Callable[..., bytes]


@pytest.fixture
def identity(gateway_identity: Callable[[str], GatewayIdentity]) -> GatewayIdentity:
    return gateway_identity(NAME)


@pytest.fixture
def sent(hub_identity: HubIdentity) -> Sign:
    """A function: timeout and revision -> the frame of the hub that asks for it."""

    def signed(timeout_ms: int, number: int, incarnation: int = 0) -> bytes:
        desired = wish(unit(timeout_ms=timeout_ms), number, incarnation)
        return frame.encode(TOPIC, encode_body(desired), hub_identity.signer)

    return signed


def believed(payloads: Iterable[object], identity: GatewayIdentity) -> Iterator[Desired]:
    """Yield what the gateway's line takes in of what comes on its topic."""
    for payload in payloads:
        try:
            yield verified(TOPIC, payload, Desired, identity=identity)
        except WireError:
            continue


def hostile(good: bytes, identity: GatewayIdentity, hub: HubIdentity) -> list[object]:
    """Return what an owner of the broker can make of frames of this hub, and of keys of their own."""
    document = unit(timeout_ms=999)
    body = encode_body(wish(document, 99))
    other = Desired(
        gateway="lab-2", revision=Revision(0, 99), hash=document_hash(document), document=document
    )
    theirs = build("lab-2", Channel.DOWN_DESIRED)
    ack = Ack(gateway=NAME, hub_time_ms=0)
    return [
        *(b"", b"{}", body, None, "text", good[:1], good[: len(good) // 2], good[:-1], good + b"\0"),
        *(good[:20] + bytes((good[20] ^ 1,)) + good[21:], good[:-5] + b"9" + good[-4:]),
        frame.encode(TOPIC, body, Ed25519Signer.generate()),
        frame.encode(TOPIC, body, identity.signer),
        good[: len(good) - len(body)] + body,
        frame.encode(theirs, encode_body(other), hub.signer),
        frame.encode(build(NAME, Channel.DOWN_ACK), body, hub.signer),
        frame.encode(TOPIC, encode_body(ack), hub.signer),
    ]


def test_nothing_that_the_hub_did_not_sign_for_this_gateway_is_even_looked_at(
    process: Callable[..., Any], sent: Sign, identity: GatewayIdentity, hub_identity: HubIdentity
) -> None:
    first, second = sent(600, 1), sent(700, 2)
    bad = hostile(second, identity, hub_identity)
    assert list(believed(bad, identity)) == []
    one = process()
    one.play(*believed([*bad, first, *bad, second, *bad], identity))
    assert one.settings.device[0].timeout_ms == 700
    assert one.events.count("settings_staged") == 2
    assert one.state.seen == Revision(0, 2)


def test_what_the_hub_once_signed_changes_nothing_when_it_is_sent_again(
    process: Callable[..., Any], sent: Sign, identity: GatewayIdentity
) -> None:
    recorded = [sent(600, 1), sent(650, 9), sent(700, 10)]
    process().play(*believed(recorded, identity))
    for known, latest in ((recorded, 700), ([*recorded, sent(750, 8)], 700)):
        again = process()
        for desired in believed([*known, *reversed(known)], identity):
            again.wishes.put(desired)
        again.play()
        assert (again.events, again.settings.device[0].timeout_ms) == ([], latest)


def test_what_was_signed_before_a_hub_was_restored_counts_no_more(
    process: Callable[..., Any], sent: Sign, identity: GatewayIdentity
) -> None:
    recorded = [sent(600, 1), sent(650, 2)]
    process().play(*believed([*recorded, sent(700, 1, 1)], identity))
    again = process()
    for desired in believed([*recorded, sent(800, 99)], identity):
        again.wishes.put(desired)
    again.play()
    assert (again.events, again.settings.device[0].timeout_ms) == ([], 700)
