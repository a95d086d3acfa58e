"""The form of a calibration: what a person typed, as an entry, with every fault at once; and its preview."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from cloud.calibration_acts import curve_of, default_exponent, faults_of, node_faults
from cloud.identity.acts import ActError
from cloud.store.calibration_entries import NewCalibration
from cloud.store.exact import decimal_text
from cloud.store.points import Point
from cloud.web.curve_drawing import CurveDrawing, draw_curve

_NOWHERE = Decimal(0)
_DIGITS_MAX = 30


@dataclass(frozen=True, slots=True)
class Preview:
    """What an entry would do: its curve, and what becomes of one value."""

    drawing: CurveDrawing
    indicated: str
    correction: str
    corrected: str


class Form:
    """One form as it was sent; `faults` grows while its fields are read."""

    def __init__(self, fields: Mapping[str, str], point: Point, zone: ZoneInfo) -> None:
        self._fields = fields
        self._point = point
        self._zone = zone
        self.faults: list[ActError] = []

    def entry(self, now: datetime, *, sha256: str | None) -> NewCalibration | None:
        """Return what is to be entered, None when something is wrong."""
        indicated, correction = self.nodes()
        calibrated_on = self._day("calibrated_on")
        given = self._fields.get("from_at", "").strip()
        from_at = self._moment("from_at")
        if not given and calibrated_on is not None:
            from_at = datetime.combine(calibrated_on, time(), self._zone).astimezone(UTC)
        new = NewCalibration(
            from_at=from_at or now,
            to_at=self._moment("to_at"),
            indicated=indicated,
            correction=correction,
            exponent=self.exponent(),
            expanded_uncertainty=self._number("expanded_uncertainty"),
            coverage_factor=self._number("coverage_factor"),
            certificate=self._text("certificate"),
            laboratory=self._text("laboratory"),
            calibrated_on=calibrated_on or now.date(),
            due_on=self._day("due_on") if self._fields.get("due_on", "").strip() else None,
            certificate_sha256=sha256,
            reason=self._text("reason"),
        )
        known = {fault.field for fault in self.faults}
        more = faults_of(new, now, self._zone.key)
        self.faults += [fault for fault in more if fault.field not in known]
        return None if self.faults else new

    def preview(self, newest: str | None) -> Preview | None:
        """Return what the curve does; None while it is none, and `faults` then says why."""
        indicated, correction = self.nodes()
        exponent = self.exponent()
        if not self.faults:
            self.faults += list(node_faults(indicated, correction))
        if self.faults:
            return None
        uncertainty = _decimal(self._fields.get("expanded_uncertainty", ""))
        sample = self._fields.get("sample", "").strip()
        value = _decimal(sample or newest or str(indicated[0]))
        if value is None:
            self.faults.append(ActError("sample", sample, "a number"))
            return None
        places = value.as_tuple().exponent
        value_exponent = min(places if isinstance(places, int) else 0, 0)
        curve = curve_of(indicated, correction, exponent)
        count = curve.correct(int(value.scaleb(-value_exponent)), exponent=value_exponent)
        corrected = decimal_text(count, exponent)
        good = uncertainty if uncertainty is not None and uncertainty > 0 else None
        return Preview(
            draw_curve(indicated, correction, good),
            f"{value:f}",
            f"{Decimal(corrected) - value:+f}",
            corrected,
        )

    def nodes(self) -> tuple[list[Decimal], list[Decimal]]:
        """Return the nodes: one on a line, as typed or pasted from a table."""
        indicated, correction = [], []
        for line in self._fields.get("nodes", "").splitlines():
            if not line.strip():
                continue
            numbers = [_decimal(part) for part in line.replace(";", " ").split()]
            if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
                self._fault("nodes", line, "two numbers: indicated value, correction")
                return [], []
            indicated.append(numbers[0])
            correction.append(numbers[1])
        if not indicated:
            self._fault("nodes", "", "at least one node")
        return indicated, correction

    def exponent(self) -> int:
        """Return the resolution of corrected values; what is left out loses nothing."""
        text = self._fields.get("decimals", "").strip()
        if text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= 12:
            return -int(text)
        if text:
            self._fault("decimals", text, "0 to 12")
        indicated, correction = Form(self._fields, self._point, self._zone).nodes()
        return default_exponent(self._point.exponent, [*indicated, *correction])

    def _fault(self, field: str, value: str, expected: str) -> None:
        self.faults.append(ActError(field, value, expected))

    def _text(self, field: str) -> str:
        return " ".join(self._fields.get(field, "").split())

    def _number(self, field: str) -> Decimal:
        found = _decimal(self._fields.get(field, ""))
        if found is None:
            self._fault(field, self._fields.get(field, ""), "a number")
        return _NOWHERE if found is None else found

    def _day(self, field: str) -> date | None:
        text = self._fields.get(field, "").strip()
        try:
            found = date.fromisoformat(text)
            if not 1900 <= found.year < 2200:  # in every zone it then is a moment too
                raise ValueError(text)
        except ValueError:
            self._fault(field, text, "a day such as 2026-01-31")
            return None
        return found

    def _moment(self, field: str) -> datetime | None:
        text = self._fields.get(field, "").strip()
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found.replace(tzinfo=self._zone) if found.tzinfo is None else found).astimezone(UTC)
        except (ValueError, OverflowError):
            self._fault(field, text, "a time such as 2026-01-31 08:00")
            return None


def _decimal(text: str) -> Decimal | None:
    text = text.strip().replace("−", "-")
    if not 1 <= len(text) <= _DIGITS_MAX or not set(text) <= frozenset("0123456789.+-"):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
