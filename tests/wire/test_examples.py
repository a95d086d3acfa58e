"""The published examples are what this version reads, refuses and describes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from wire import codec, errors, frame, topics
from wire.schema import asyncapi, json_schema

Example = dict[str, Any]
IsSigned = Callable[[bytes, bytes, bytes], bool]


def _body(example: Example) -> bytes:
    if "body_text" in example:
        return str(example["body_text"]).encode()
    return json.dumps(example["body"], ensure_ascii=False).encode()


def _receive(example: Example, is_signed: IsSigned) -> object:
    """What a receiver does: topic, frame, signature, body."""
    topic = topics.parse(example["topic"])
    body = _frame_body(example, is_signed) if "frame_hex" in example else _body(example)
    return codec.decode_body(body, codec.MESSAGE_TYPES[topic.channel])


def _frame_body(example: Example, is_signed: IsSigned) -> bytes:
    found = frame.decode(bytes.fromhex(example["frame_hex"]))
    data = frame.signed_bytes(example["topic"], found.body)
    if not is_signed(bytes.fromhex(example["public_key_hex"]), data, found.signature):
        raise errors.SignatureError
    return found.body


def _schema_of(example: Example) -> dict[str, Any]:
    kind = codec.MESSAGE_TYPES[topics.parse(example["topic"]).channel]
    return {**json_schema(), "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"}]}


def test_valid_example_is_read(valid_example: Example, is_signed: IsSigned) -> None:
    message = _receive(valid_example, is_signed)
    kind = codec.MESSAGE_TYPES[topics.parse(valid_example["topic"]).channel]
    assert message == codec.decode_body(_body(valid_example), kind)


def test_valid_example_fits_the_schema(valid_example: Example) -> None:
    jsonschema.validate(valid_example["body"], _schema_of(valid_example))


def test_valid_example_encodes_to_the_signed_bytes(valid_example: Example, is_signed: IsSigned) -> None:
    """A body goes through decoder and encoder unchanged, unless it has fields of a newer version."""
    kind = codec.MESSAGE_TYPES[topics.parse(valid_example["topic"]).channel]
    known = {name: value for name, value in valid_example["body"].items() if name in kind.__struct_fields__}
    again = codec.encode_body(codec.decode_body(_body(valid_example), kind))
    assert json.loads(again) == known
    if "frame_hex" in valid_example:
        assert again == _frame_body(valid_example, is_signed)


def test_invalid_example_is_refused_by_name(invalid_example: Example, is_signed: IsSigned) -> None:
    expected: type[errors.WireError] = getattr(errors, invalid_example["error"])
    with pytest.raises(expected) as raised:
        _receive(invalid_example, is_signed)
    assert invalid_example["says"] in str(raised.value)


def test_invalid_body_fails_the_schema(invalid_example: Example) -> None:
    if invalid_example["error"] != "MessageError" or "body" not in invalid_example:
        assert invalid_example["error"] == "TopicError" or {"body_text", "frame_hex"} & invalid_example.keys()
        return
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(invalid_example["body"], _schema_of(invalid_example))


def test_every_message_has_a_signed_example() -> None:
    folder = Path(__file__).parents[2] / "wire/examples/valid"
    examples = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    signed = {topics.parse(e["topic"]).channel for e in examples if "frame_hex" in e}
    assert signed == set(codec.MESSAGE_TYPES)


def test_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_asyncapi_names_every_topic_and_message() -> None:
    document = asyncapi()
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {topics.build("lab-1", c).replace("lab-1", "{gateway}") for c in codec.MESSAGE_TYPES}
    assert set(document["components"]["messages"]) <= set(json_schema()["$defs"])
    assert document["channels"].keys() == document["operations"].keys()
