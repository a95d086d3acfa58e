"""What the hub knows beside rights and a gateway decides with: jobs, and the calibrations of its points.

It comes as one signed document that replaces the one before, whole or not at all. Pure.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, field

from rules.access.request import Job
from rules.interlock.model import Calibration
from wire.messages import GatewayId, Message, PointName
from wire.shadow import Revision

Millis = Annotated[int, Meta(ge=0, le=2**42)]


class WorkError(ValueError):
    """A document that is not taken over; the text names what is wrong."""


class Work(Message, frozen=True, forbid_unknown_fields=True):
    """Jobs of the site that are planned, running or held, and the certificate in force of each point."""

    gateway: GatewayId
    revision: Revision
    issued_at_ms: Millis
    jobs: Annotated[tuple[Job, ...], Meta(max_length=1000)] = ()
    calibrations: dict[PointName, Calibration] = field(default_factory=dict)


_decoder = msgspec.json.Decoder(Work)
_encoder = msgspec.json.Encoder()


def encode_work(work: Work) -> bytes:
    """Return the JSON of a document: the same document gives the same bytes."""
    return _encoder.encode(work)


def decode_work(body: bytes) -> Work:
    """Return the document; `WorkError` names the field that is not as expected."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkError(f"work: {error}") from None
