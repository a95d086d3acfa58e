"""How often an address may be wrong: a bucket that fills with time. Pure."""

from collections import OrderedDict

ADDRESSES_MAX = 4096


class Throttle:
    """So many wrong tries at once for each address, and so many in each period afterwards."""

    def __init__(self, most: int, *, period_s: float = 60.0) -> None:
        self._most = float(most)
        self._period_s = period_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Address -> tries that are left, and when that was so; those that came last are remembered."""

    def is_open(self, address: str, now_s: float) -> bool:
        """Whether an address is listened to at all."""
        return self._now(address, now_s) >= 1

    def wrong(self, address: str, now_s: float) -> None:
        """An address was wrong."""
        left = max(0.0, self._now(address, now_s) - 1)
        self._left[address] = left, now_s
        self._left.move_to_end(address)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)

    def _now(self, address: str, now_s: float) -> float:
        left, at_s = self._left.get(address, (self._most, now_s))
        return min(self._most, left + max(0.0, now_s - at_s) * self._most / self._period_s)
