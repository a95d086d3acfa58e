"""The words of the local socket: one JSON line asks, lines answer, the last one says how it ended.

Lines in between are `{"tell": …}` (how it goes), `{"heard": …}` (a transcript's line) or, for `look`, what
the gateway reads. The last line is `{"done": …}`, or `{"failed": …, "wrong": …}`: `wrong` is true when the
asking itself was not right.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

SOCKET_NAME = "local.sock"
ASK_BYTES_MAX = 64 * 1024

Name = Annotated[str, Meta(max_length=200)]


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="ask", tag="look"):
    """Show what is read until I leave."""


class ListOutputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="ask", tag="outputs"):
    """Which outputs are there, and which of them are not where they were declared to rest?"""


class SetOutput(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="ask", tag="set"
):
    """Set one output; `value` is a decimal number in the output's unit."""

    output: Name
    value: Name


class RunProcedure(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="ask", tag="run"
):
    """Carry out a declared procedure."""

    device: Name
    procedure: Name
    arguments: dict[Name, Name] = field(default_factory=dict)


class PairReader(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="ask", tag="pair"
):
    """Let a reader be paired; it may not be any more when I leave."""

    device: Name
    reader: Name


class ShowFeedback(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="ask", tag="show"
):
    """Show and sound something at a reader."""

    device: Name
    reader: Name
    colour: Literal["red", "green", "amber", "blue"] | None = None
    blink: bool = False
    seconds: float = 2.0
    beeps: int = 0
    text: Name = ""


Ask = Look | ListOutputs | SetOutput | RunProcedure | PairReader | ShowFeedback
