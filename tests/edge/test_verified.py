"""Settings and acks are believed only as the hub signed them, for this gateway, on their topic."""

from collections.abc import Callable

import pytest

from edge.verified import UnknownKeyError, verified
from provisioning.identity import GatewayIdentity, HubIdentity
from provisioning.keys import Ed25519Signer
from wire import frame
from wire.codec import encode_body
from wire.errors import FrameError, MessageError, SignatureError, WireError
from wire.shadow import Desired, Revision, document_hash
from wire.topics import Channel, build

pytestmark = pytest.mark.requirement("G-7.2b", "G-4.3a")

NAME = "verified-1"
TOPIC = build(NAME, Channel.DOWN_DESIRED)
TEXT = "a = 1\n" * 100


def desired(gateway: str = NAME) -> Desired:
    return Desired(gateway=gateway, revision=Revision(0, 1), hash=document_hash(TEXT), document=TEXT)


@pytest.fixture
def identity(gateway_identity: Callable[[str], GatewayIdentity]) -> GatewayIdentity:
    return gateway_identity(NAME)


def test_what_the_hub_signed_is_believed(identity: GatewayIdentity, hub_identity: HubIdentity) -> None:
    data = frame.encode(TOPIC, encode_body(desired()), hub_identity.signer)
    assert verified(TOPIC, data, Desired, identity=identity) == desired()


def test_forged_settings_are_refused(identity: GatewayIdentity, hub_identity: HubIdentity) -> None:
    body, hub = encode_body(desired()), hub_identity.signer
    good = frame.encode(TOPIC, body, hub)
    stranger = frame.encode(TOPIC, body, Ed25519Signer.generate())
    own = frame.encode(TOPIC, body, identity.signer)
    borrowed = stranger[:2] + good[2:10] + stranger[10:]
    elsewhere = frame.encode(build(NAME, Channel.DOWN_ACK), body, hub)
    others = frame.encode(TOPIC, encode_body(desired("verified-2")), hub)
    newer = frame.encode(TOPIC, body[:-1] + b',"unless":1}', hub)
    for data, error in [
        (stranger, UnknownKeyError),
        (own, UnknownKeyError),
        (borrowed, SignatureError),
        (elsewhere, SignatureError),
        (others, MessageError),
        (newer, MessageError),
        (None, FrameError),
    ]:
        with pytest.raises(error):
            verified(TOPIC, data, Desired, identity=identity)


def test_settings_that_are_cut_off_or_altered_anywhere_are_refused(
    identity: GatewayIdentity, hub_identity: HubIdentity
) -> None:
    good = frame.encode(TOPIC, encode_body(desired()), hub_identity.signer)
    for place in range(len(good)):
        with pytest.raises(WireError):
            verified(TOPIC, good[:place], Desired, identity=identity)
        with pytest.raises(WireError):
            verified(
                TOPIC,
                good[:place] + bytes((good[place] ^ 1,)) + good[place + 1 :],
                Desired,
                identity=identity,
            )
