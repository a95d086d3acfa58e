"""What the hub knows beside rights and a gateway decides with: jobs, and the calibrations of its points.

It comes as one signed document that replaces the one before, whole or not at all. Pure.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, field

from rules.access.request import Job
from rules.interlock.model import Calibration
from wire.messages import GatewayId, Message, PointName
from wire.shadow import Revision

Millis = Annotated[int, Meta(ge=0, le=2**42)]
PLACES_MAX = 40
"""So many places before and behind the point has a number at most: what is read by it stays small."""


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
        work = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkError(f"work: {error}") from None
    for point, calibration in work.calibrations.items():
        if fault := next(_faults(calibration), ""):
            raise WorkError(f"work: calibrations of {point}: {fault}")
    return work


def _faults(calibration: Calibration) -> Iterator[str]:
    """Yield what keeps counts from being read by a certificate, or judged with its uncertainty."""
    indicated, correction = calibration.indicated, calibration.correction
    numbers = {
        "indicated": indicated,
        "correction": correction,
        "expanded_uncertainty": (calibration.expanded_uncertainty,),
        "drift_per_day": (calibration.drift_per_day,),
    }
    for name, values in numbers.items():
        for odd in (value for value in values if not _is_plain(value)):
            yield f"{name} {odd}: expected a number of at most {PLACES_MAX} places"
            return
    if not indicated or len(indicated) != len(correction):
        yield (
            f"{len(indicated)} indicated and {len(correction)} correction: "
            "expected as many of the one as of the other, at least one"
        )
    for before, after in pairwise(indicated):
        if after <= before:
            yield f"indicated {after} after {before}: expected a higher one"
    if not -PLACES_MAX <= calibration.exponent <= PLACES_MAX:
        yield f"exponent {calibration.exponent}: expected {-PLACES_MAX} to {PLACES_MAX}"
    for name in ("expanded_uncertainty", "drift_per_day"):
        if numbers[name][0] < 0:
            yield f"{name} {numbers[name][0]}: expected 0 or more"


def _is_plain(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -PLACES_MAX and number.adjusted() <= PLACES_MAX
