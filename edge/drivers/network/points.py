"""What the driver feeds: its points, its layouts, and the polls that it makes of a look. Pure."""

from collections.abc import Sequence

import msgspec

from edge.drivers.network.budget import Budget
from edge.drivers.network.decode import BEARER_WORDS, Bearer, Sent
from edge.drivers.network.modem import REGISTRATION_WORDS, STATE_WORDS, TECHNOLOGY_WORDS, Modem
from wire.layouts import make_layout
from wire.messages import Layout, PointDeclaration, Poll
from wire.settings.network import NetworkDevice
from wire.status import PointKind, Status

PACE_WORDS = {"0": "events_only", "1": "full", "2": "thinned"}


class Look(msgspec.Struct, frozen=True):
    """What was found at one moment."""

    interface: str | None
    bearer: Bearer
    level_dbm: int | None
    counters: dict[str, Sent]
    mobile: frozenset[str]
    """Which of the interfaces are mobile links."""


class Totals(msgspec.Struct, array_like=True):
    """What is kept over restarts: the totals, and the kernel's counters that they reach to."""

    boot: str
    sent: int
    received: int
    counters: dict[str, tuple[int, int]]
    mobile: int = 0
    """Sent and received over mobile links."""
    changes: int = 0
    """How often another interface took over."""
    interface: str | None = None
    """Which one carried the uplink last, and what kind of bearer it was."""
    bearer: int | None = None


class Feed:
    """The points of one device."""

    def __init__(self, settings: NetworkDevice, budget: Budget, *, wifi: bool) -> None:
        """`wifi`: whether the machine has Wi-Fi; a wire and a modem have no level that the kernel tells."""
        self._settings = settings
        self._wifi = wifi
        self._budget = budget
        state, counter = PointKind.STATE, PointKind.COUNTER
        self.points: list[PointDeclaration] = []
        self.link = self._layout(
            self._point("bearer", "state", kind=state, states=BEARER_WORDS),
            *([self._point("signal", "signal_level")] if wifi else []),
            self._point("sent", "data_volume", kind=counter),
            self._point("received", "data_volume", kind=counter),
            self._point("mobile", "data_volume", kind=counter),
            self._point("changes", "count", kind=counter),
        )
        self.layouts = [self.link]
        if budget.names():
            self.budget = self._layout(
                self._point("budget/pace", "state", kind=state, states=PACE_WORDS),
                self._point("budget/stride", "count"),
                *(
                    self._point(f"budget/{name}-{what}", "data_volume")
                    for name in budget.names()
                    for what in ("spent", "left")
                ),
            )
            self.layouts.append(self.budget)
        if settings.modem:
            self.modem = self._modem()
            self.layouts.append(self.modem)

    def _modem(self) -> Layout:
        state = PointKind.STATE
        return self._layout(
            self._point("modem/state", "state", kind=state, states=STATE_WORDS),
            self._point("modem/registration", "state", kind=state, states=REGISTRATION_WORDS),
            self._point("modem/technology", "state", kind=state, states=TECHNOLOGY_WORDS),
            self._point("modem/quality", "dimensionless", exponent=-2),
            self._point("modem/level", "signal_level", exponent=-1),
            self._point("modem/rsrq", "signal_quality", exponent=-1),
            self._point("modem/snr", "signal_quality", exponent=-1),
        )

    def _point(
        self,
        last: str,
        quantity: str,
        *,
        states: dict[str, str] | None = None,
        kind: PointKind = PointKind.ANALOG,
        exponent: int = 0,
    ) -> PointDeclaration:
        made = PointDeclaration(
            name=f"{self._settings.prefix}/{last}",
            quantity=quantity,
            kind=kind,
            exponent=exponent,
            period_ms=self._settings.interval_ms,
            device=self._settings.name,
            states=states or {},
        )
        self.points.append(made)
        return made

    def _layout(self, *points: PointDeclaration) -> Layout:
        return make_layout([one.name for one in points], [one.exponent for one in points])

    def polls(self, look: Look, totals: Totals, *, tick: int) -> Sequence[Poll]:
        """Return the polls of one look."""
        level = [look.level_dbm] if self._wifi else []
        counts = [totals.sent, totals.received, totals.mobile, totals.changes]
        polls = [self._poll(self.link, tick, [int(look.bearer), *level, *counts])]
        if names := self._budget.names():
            stride = self._budget.pace().stride
            volumes = [
                value for name in names for value in (self._budget.spent(name), self._budget.left(name))
            ]
            polls.append(self._poll(self.budget, tick, [min(stride, 2), stride or None, *volumes]))
        return polls

    def modem_poll(self, modem: Modem, *, tick: int) -> Poll:
        """Return the poll of one look at a modem."""
        counts = [modem.state, modem.registration, modem.technology, modem.quality_percent]
        return self._poll(self.modem, tick, [*counts, modem.level_ddbm, modem.rsrq_ddb, modem.snr_ddb])

    def _poll(self, layout: Layout, tick: int, counts: list[int | None]) -> Poll:
        flags = [(place, int(Status.NOT_MEASURED)) for place, count in enumerate(counts) if count is None]
        return Poll(layout=layout.id, tick=tick, counts=counts, flags=flags)
