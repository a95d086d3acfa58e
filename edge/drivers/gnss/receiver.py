"""What a receiver told lately beside its fixes: satellites, antenna, jamming; events when they change."""

from edge.drivers.gnss.decode import SKY_AGE_MAX_NS, Sky, Tpv
from edge.drivers.gnss.own import Antenna, Jamming, Own
from wire.messages import Scalar

JAMMING_AGE_MAX_NS = 30_000_000_000
"""The state of the antenna counts until it changes: u-blox tells it only then."""


class Receiver:
    """Of one connection to gpsd."""

    def __init__(self) -> None:
        self._sky: tuple[int, Sky] | None = None
        self._antenna: Antenna | None = None
        self._jamming: tuple[int, int] | None = None
        self._state: tuple[int, Jamming] | None = None

    def heard_sky(self, sky: Sky, now_ns: int) -> None:
        """Take a report of satellites; one that carries only dilutions is none."""
        if sky.satellites is not None or sky.u_sat is not None:
            self._sky = (now_ns, sky)

    def sky(self, now_ns: int) -> Sky | None:
        """Return the newest report of satellites, if it is fresh."""
        return self._sky[1] if self._sky and now_ns - self._sky[0] <= SKY_AGE_MAX_NS else None

    def heard_fix(self, tpv: Tpv, now_ns: int) -> None:
        """Take the jamming indicator of a fix, where gpsd passes it on."""
        if tpv.jam is not None and 0 <= tpv.jam <= 255:
            self._jamming = (now_ns, tpv.jam)

    def heard_own(self, own: Own, now_ns: int) -> list[tuple[str, dict[str, Scalar]]]:
        """Take a message of the receiver's own and return the events it makes: kind and data."""
        events: list[tuple[str, dict[str, Scalar]]] = []
        if own.jamming is not None:
            self._jamming = (now_ns, own.jamming)
        if own.antenna is not None:
            if own.antenna is not (self._antenna or Antenna.OK):
                events.append(("antenna_changed", {"antenna": own.antenna.name.lower()}))
            self._antenna = own.antenna
        if own.jamming_state is not None:
            before = self._state[1] if self._state else Jamming.NONE
            if own.jamming_state is not before:
                events.append(("jamming_changed", {"jamming": own.jamming_state.name.lower()}))
            self._state = (now_ns, own.jamming_state)
        return events

    def own(self, now_ns: int) -> Own:
        """Return what counts now."""
        jamming, state = (
            told[1] if told and now_ns - told[0] <= JAMMING_AGE_MAX_NS else None
            for told in (self._jamming, self._state)
        )
        return Own(self._antenna, jamming, Jamming(state) if state else None)
