"""Who may ask: the certificate names the gateway of the path, and its batch key signed this request.

The TLS layer has checked the certificate's chain and dates; keys that were withdrawn are known here alone.
"""

import binascii

from cloud.https_exchange import Request
from cloud.store.connection import Connection
from cloud.store.media import Sender, find_sender, is_known_by_a_key
from provisioning.keys import verify_ed25519
from wire.frame import KEY_ID_BYTES, SIGNATURE_BYTES
from wire.media import (
    DESCRIPTION_HEADER,
    HASH_HEADER,
    KEY_HEADER,
    SHA256,
    SIGNATURE_HEADER,
    signed_media,
)


class RefusedError(Exception):
    """A request is not taken: the status, and why in words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class NotYetError(RefusedError):
    """An honest gateway is told this too, when it comes before what it declares has arrived by MQTT."""

    def __init__(self, reason: str) -> None:
        super().__init__(403, reason)


async def authenticate(connection: Connection, request: Request, gateway: str) -> Sender:
    """Return who asks, or raise `RefusedError`: 400 for what cannot be read, 403 for everything else.

    `NotYetError` while the hub knows no key of this gateway at all: its first message brings one.

    The hash that was signed is that of the head; whoever reads the body compares it.
    """
    if request.peer.name != gateway:
        raise RefusedError(403, f"the certificate is of {request.peer.name}: it speaks for no other gateway")
    key_id = _bytes(request, KEY_HEADER, KEY_ID_BYTES)
    signature = _bytes(request, SIGNATURE_HEADER, SIGNATURE_BYTES)
    sha256 = body_hash(request)
    sender = await find_sender(connection, key_id)
    if sender is None and not await is_known_by_a_key(connection, gateway):
        raise NotYetError("no key of this gateway is known yet: its first message to the broker brings one")
    if sender is None:
        raise RefusedError(403, "unknown key")
    if sender.gateway != gateway:
        raise RefusedError(403, f"signed with a key of {sender.gateway}")
    if sender.refused:
        raise RefusedError(403, f"the key of {gateway} is refused since it was withdrawn")
    description = request.headers.get(DESCRIPTION_HEADER, "")
    signed = signed_media(request.method, request.target, description=description, sha256=sha256)
    if not verify_ed25519(sender.public_key)(signed, signature):
        raise RefusedError(403, "the signature does not belong to this request and key")
    return sender


def signature_of(request: Request) -> bytes:
    """Return the signature of a request that was authenticated."""
    return _bytes(request, SIGNATURE_HEADER, SIGNATURE_BYTES)


def body_hash(request: Request) -> str:
    """Return the hash that the head says the body has; `RefusedError`."""
    text = request.headers.get(HASH_HEADER, "")
    if not SHA256.fullmatch(text):
        raise RefusedError(400, f"{HASH_HEADER} {text[:80]!r}: expected 64 hexadecimal digits")
    return text


def _bytes(request: Request, name: str, length: int) -> bytes:
    text = request.headers.get(name, "")
    try:
        found = binascii.unhexlify(text)
    except ValueError:
        found = b""
    if len(found) != length:
        raise RefusedError(400, f"{name} {text[:40]!r}: expected {2 * length} hexadecimal digits")
    return found
