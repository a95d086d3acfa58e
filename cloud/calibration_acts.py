"""What people do to calibrations: enter a revision, bring the file of a certificate. Checked and audited."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from cloud.identity.acts import Act, ActError, MissingError
from cloud.store import calibration_entries as entries
from cloud.store.calibration import Curve, curve_faults
from cloud.store.calibration_entries import NewCalibration
from cloud.store.points import Point, get_point
from cloud.store.sites import get_site
from rules.permissions import Permission

NODES_MAX = 100
FILE_BYTES_MAX = 10 * 1024 * 1024
_GREATEST = Decimal(10) ** 12
_FINEST = -12
_FACTOR_MAX = Decimal(10)
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_SIGNS = ((b"%PDF-", "application/pdf"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"))


async def enter(act: Act, point_id: int, new: NewCalibration) -> int:
    """Enter a revision of a point's calibration and return its id; raises `ActError` for the first fault."""
    point, time_zone = await _point(act, point_id)
    for fault in faults_of(new, act.at, time_zone):
        raise fault
    if new.certificate_sha256 and not await entries.has_file(
        act.connection, point.organisation_id, new.certificate_sha256
    ):
        raise ActError("certificate_sha256", new.certificate_sha256, "the hash of a file that was brought")
    before = await entries.list_calibrations(act.connection, point_id=point.id, at=new.from_at, limit=1)
    made = await entries.enter(act.connection, point, new, author=act.viewer.login, at=act.at)
    old = {"id": before[0].id, "certificate": before[0].certificate} if before else None
    await act.note(
        "calibration.enter",
        f"point {point.site}/{point.name}",
        organisation_id=point.organisation_id,
        old=old,
        new=_written(made, new),
        why=new.reason,
    )
    return made


async def bring_file(act: Act, point_id: int, body: bytes) -> str:
    """Keep the file of a certificate and return its hash; what it is, its first bytes say."""
    point, _ = await _point(act, point_id)
    content_type = kind_of(body)
    if content_type is None:
        raise ActError("file", f"{len(body)} bytes", "a PDF, a PNG or a JPEG")
    if len(body) > FILE_BYTES_MAX:
        raise ActError("file", f"{len(body)} bytes", f"at most {FILE_BYTES_MAX} bytes")
    sha256 = hashlib.sha256(body).hexdigest()
    kept = await entries.add_file(
        act.connection,
        point.organisation_id,
        sha256=sha256,
        content_type=content_type,
        body=body,
        author=act.viewer.login,
        at=act.at,
    )
    if not kept:
        raise ActError(
            "file", sha256, f"at most {entries.LOOSE_FILES_MAX} files that no calibration names yet"
        )
    await act.note(
        "certificate.bring",
        f"point {point.site}/{point.name}",
        organisation_id=point.organisation_id,
        new={"sha256": sha256, "bytes": len(body), "content_type": content_type},
    )
    return sha256


def kind_of(body: bytes) -> str | None:
    """Return the media type of a file that may be kept, None of any other."""
    return next((kind for sign, kind in _SIGNS if body.startswith(sign)), None)


def faults_of(new: NewCalibration, now: datetime, time_zone: str) -> Iterator[ActError]:
    """Yield every fault of a calibration by itself."""
    yield from node_faults(new.indicated, new.correction)
    if not _FINEST <= new.exponent <= -_FINEST:
        yield ActError("exponent", new.exponent, f"{_FINEST} to {-_FINEST}")
    if not _is_plain(new.expanded_uncertainty) or new.expanded_uncertainty <= 0:
        yield ActError("expanded_uncertainty", new.expanded_uncertainty, "a number above 0")
    if not _is_plain(new.coverage_factor) or not 0 < new.coverage_factor <= _FACTOR_MAX:
        yield ActError("coverage_factor", new.coverage_factor, f"a number above 0, at most {_FACTOR_MAX}")
    for field, text, longest in (
        ("certificate", new.certificate, 100),
        ("laboratory", new.laboratory, 200),
        ("reason", new.reason, 500),
    ):
        if not 1 <= len(text.strip()) <= longest or not text.isprintable():
            yield ActError(field, text, f"a text of 1 to {longest} characters in one line")
    if new.calibrated_on > entries.local_day(now, time_zone):
        yield ActError("calibrated_on", new.calibrated_on, "a day that is not to come")
    if new.due_on is not None and new.due_on <= new.calibrated_on:
        yield ActError("due_on", new.due_on, f"a day after {new.calibrated_on}")
    if not _FIRST <= new.from_at <= _LAST:
        yield ActError("from_at", new.from_at.isoformat(), "a time from 2000 to 2200")
    if new.to_at is not None and not new.from_at < new.to_at <= _LAST:
        yield ActError("to_at", new.to_at.isoformat(), f"a time after {new.from_at.isoformat()}")


def node_faults(indicated: Sequence[Decimal], correction: Sequence[Decimal]) -> Iterator[ActError]:
    """Yield what keeps these nodes from being a monotone curve of sensible numbers."""
    odd = [one for one in (*indicated, *correction) if not _is_plain(one)]
    if odd:
        yield ActError("nodes", odd[0], "numbers below 1e12 with at most 12 decimals")
    elif len(indicated) > NODES_MAX:
        yield ActError("nodes", len(indicated), f"at most {NODES_MAX} nodes")
    else:
        for fault in curve_faults(indicated, correction):
            yield ActError("nodes", "", fault)


def default_exponent(point_exponent: int | None, numbers: Sequence[Decimal]) -> int:
    """Return the resolution of corrected values that loses nothing: the finest of counts and nodes."""
    places = [one.as_tuple().exponent for one in numbers]
    finest = min([point_exponent or 0, *(place for place in places if isinstance(place, int))])
    return max(finest, _FINEST)


def curve_of(indicated: Sequence[Decimal], correction: Sequence[Decimal], exponent: int) -> Curve:
    """Return the curve that such an entry would be."""
    return Curve(0, tuple(indicated), tuple(correction), exponent, "")


def _is_plain(number: Decimal) -> bool:
    if not number.is_finite() or number.copy_abs() >= _GREATEST:  # abs() would round, and overflow
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= _FINEST


async def _point(act: Act, point_id: int) -> tuple[Point, str]:
    point = await get_point(act.connection, point_id)
    site = None if point is None else await get_site(act.connection, point.site_id)
    if point is None or site is None:
        raise MissingError("point", point_id, "an existing point")
    if not act.viewer.may(Permission.CALIBRATIONS_WRITE, point.organisation_id, point.site_id):
        raise MissingError("point", point_id, "an existing point")
    if point.kind != "analog" or point.quantity == "position":
        raise ActError("point", point.name, "a point that is measured, no state, counter or position")
    return point, site.time_zone


def _written(made: int, new: NewCalibration) -> dict[str, object]:
    return {
        "id": made,
        "from": new.from_at,
        "to": new.to_at,
        "indicated": [str(one) for one in new.indicated],
        "correction": [str(one) for one in new.correction],
        "exponent": new.exponent,
        "expanded_uncertainty": str(new.expanded_uncertainty),
        "coverage_factor": str(new.coverage_factor),
        "certificate": new.certificate,
        "certificate_sha256": new.certificate_sha256,
        "laboratory": new.laboratory,
        "calibrated_on": new.calibrated_on,
        "due_on": new.due_on,
    }
