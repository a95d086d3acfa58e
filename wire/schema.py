"""The contract as documents for others: JSON Schema of every body, AsyncAPI of every topic.

It builds plain dictionaries; it writes no file and validates nothing.
"""

from typing import Any

import msgspec

from wire.codec import MESSAGE_TYPES
from wire.frame import BODY_BYTES_MAX, DEFLATE_ABOVE_BYTES, FRAME_BYTES_MAX, HEADER_BYTES, VERSION
from wire.topics import GATEWAY_ID, PREFIX, RETAINED, Channel

_SUMMARIES: dict[Channel, str] = {
    Channel.UP_BATCH: "Sealed batches: readings, positions, events, gaps; the unit of evidence.",
    Channel.UP_POINTS: "Points, exponents and layouts in use, published before they are used.",
    Channel.UP_STATUS: "Birth with session id and key proof; the will means suspected offline, nothing more.",
    Channel.UP_REPORTED: "Settings as running, and what became of the newest revision; retained.",
    Channel.UP_RESULT: "Receipts: what became of a command; the journal carries the same as events.",
    Channel.UP_CONTROL: "Interlocks, doors, equipment and regulation as they stand; retained.",
    Channel.DOWN_COMMAND: "Something the gateway is asked to do once, before a deadline.",
    Channel.DOWN_ACK: "Batches that the hub has committed, or epochs that must be given up.",
    Channel.DOWN_DESIRED: "Settings that the gateway is to check, try, keep or roll back; retained.",
}

_FRAME_TEXT = (
    f"Every payload is a frame: version (1 byte, {VERSION}), flags (1 byte; bit 0: body deflated by zlib), "
    f"key id (8 bytes: start of the SHA-256 of the raw public key), Ed25519 signature (64 bytes), body. "
    f"The signature covers the topic, a zero byte and the uncompressed body. Header {HEADER_BYTES} bytes, "
    f"frame at most {FRAME_BYTES_MAX}, body at most {BODY_BYTES_MAX} once inflated; a sender deflates above "
    f"{DEFLATE_ABOVE_BYTES}. The schemas describe the body; bytes are base64 text in it."
)


def json_schema() -> dict[str, Any]:
    """Return one JSON Schema (2020-12) document with a definition for every message and record."""
    kinds = list(MESSAGE_TYPES.values())
    tops, components = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Bodies of {PREFIX}",
        "description": _FRAME_TEXT,
        "oneOf": list(tops),
        "$defs": dict(sorted(components.items())),
    }


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics that carry a message today."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Heng wire contract",
            "version": str(VERSION),
            "description": _FRAME_TEXT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/octet-stream",
        "channels": {_name(channel): _channel(channel) for channel in MESSAGE_TYPES},
        "operations": {_name(channel): _operation(channel) for channel in MESSAGE_TYPES},
        "components": {"messages": {kind.__name__: _message(kind) for kind in MESSAGE_TYPES.values()}},
    }


def _name(channel: Channel) -> str:
    return channel.value.replace("/", "_")


def _channel(channel: Channel) -> dict[str, Any]:
    kind = MESSAGE_TYPES[channel].__name__
    return {
        "address": f"{PREFIX}/{{gateway}}/{channel.value}",
        "description": _SUMMARIES[channel],
        "parameters": {"gateway": {"description": f"Id of the gateway: {GATEWAY_ID.pattern}"}},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    """Seen from the gateway: it sends what goes up and receives what comes down."""
    return {
        "action": "send" if channel.value.startswith("up/") else "receive",
        "channel": {"$ref": f"#/channels/{_name(channel)}"},
        "bindings": {"mqtt": {"qos": 1, "retain": channel in RETAINED}},
    }


def _message(kind: type) -> dict[str, Any]:
    return {
        "name": kind.__name__,
        "contentType": "application/octet-stream",
        "payload": {"$ref": f"schema.json#/$defs/{kind.__name__}"},
    }
