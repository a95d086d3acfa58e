"""The directory as ingest uses it: one version of it, with look-ups in event time. Reads no database."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cloud.opening import Key
from cloud.store.directory import DirectoryRows, GatewayRow, SpanRow
from provisioning.keys import verify_ed25519

_EVER = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """What the counts of a layout mean from `from_us` until before `to_us`."""

    from_us: int
    to_us: int
    point_ids: npt.NDArray[np.int64]
    factors: tuple[int, ...] | None
    """What counts are multiplied by to become counts of the point; None when all are 1."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a layout or channel cannot be resolved."""

    reason: str


class _Spans:
    """Targets of (owner, channel) in event time."""

    def __init__(self, rows: Sequence[SpanRow]) -> None:
        self._rows: dict[tuple[int, str], list[SpanRow]] = defaultdict(list)
        for row in rows:
            self._rows[row.owner, row.channel].append(row)
        for spans in self._rows.values():
            spans.sort(key=lambda span: span.from_us)

    def at(self, owner: int, channel: str, us: int) -> SpanRow | None:
        spans = self._rows.get((owner, channel), ())
        place = bisect_right(spans, us, key=lambda span: span.from_us) - 1
        return spans[place] if place >= 0 and us < spans[place].to_us else None

    def edges(self, owner: int, channel: str) -> set[int]:
        return {us for span in self._rows.get((owner, channel), ()) for us in (span.from_us, span.to_us)}

    def targets(self, owner: int, channel: str) -> set[int]:
        return {span.target for span in self._rows.get((owner, channel), ())}


class Directory:
    """One version of the directory; implements `cloud.opening.KeyBook`."""

    def __init__(self, rows: DirectoryRows) -> None:
        self.version = rows.version
        self._revoked = frozenset(row.name for row in rows.gateways if row.revoked)
        self.gateways: Mapping[str, GatewayRow] = {row.name: row for row in rows.gateways}
        names = {row.id: row.name for row in rows.gateways}
        self._keys = {
            row.key_id: Key(names[row.gateway_id], verify_ed25519(row.public_key), row.refused)
            for row in rows.keys
        }
        self._layouts = {(row.gateway_id, row.layout): row for row in rows.layouts}
        self._sites = _Spans(rows.sites)
        self._channels = _Spans(rows.channels)
        self._exponents = _Spans(rows.exponents)
        self._segments: dict[tuple[int, str], list[Segment | Unknown]] = {}

    def key(self, key_id: bytes) -> Key | None:
        """Return the key of this id."""
        return self._keys.get(key_id)

    def is_registered(self, gateway: str) -> bool:
        """Whether a site file names this gateway."""
        return gateway in self.gateways

    def is_revoked(self, gateway: str) -> bool:
        """Whether nothing of this gateway is taken any more."""
        return gateway in self._revoked

    def site(self, gateway_id: int, us: int) -> int | None:
        """Return the site that a gateway served at this time."""
        span = self._sites.at(gateway_id, "", us)
        return None if span is None else span.target

    def point(self, gateway_id: int, channel: str, us: int) -> int | Unknown:
        """Return the point that a channel fed at this time."""
        span = self._channels.at(gateway_id, channel, us)
        if span is not None:
            return span.target
        if self._sites.at(gateway_id, "", us) is None:
            return Unknown("the gateway served no site at that time")
        return Unknown(f"point {channel} is not declared")

    def segment(self, gateway_id: int, layout: str, us: int) -> Segment | Unknown:
        """Return what a layout's counts mean at this time."""
        key = gateway_id, layout
        held = self._segments.get(key)
        if held is not None:
            for segment in held:
                if isinstance(segment, Segment) and segment.from_us <= us < segment.to_us:
                    return segment
        found = self._resolve(gateway_id, layout, us)
        if isinstance(found, Segment):
            self._segments.setdefault(key, []).append(found)
        return found

    def _resolve(self, gateway_id: int, layout: str, us: int) -> Segment | Unknown:
        row = self._layouts.get((gateway_id, layout))
        if row is None:
            return Unknown(f"layout {layout} is not declared")
        points: list[int] = []
        factors: list[int] = []
        edges: set[int] = set(_EVER)
        for channel, exponent in zip(row.channels, row.exponents, strict=True):
            point = self.point(gateway_id, channel, us)
            if isinstance(point, Unknown):
                return point
            version = self._exponents.at(point, "", us)
            if version is None or exponent < version.target:
                return Unknown(f"counts of {channel} are finer than its point")
            points.append(point)
            factors.append(10 ** (exponent - version.target))
            edges |= self._channels.edges(gateway_id, channel) | self._exponents.edges(point, "")
        return Segment(
            max(edge for edge in edges if edge <= us),
            min(edge for edge in edges if edge > us),
            np.array(points, dtype=np.int64),
            None if set(factors) == {1} else tuple(factors),
        )
