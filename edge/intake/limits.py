"""How often somebody may come: a bucket that fills with time. Pure."""

from collections import OrderedDict
from dataclasses import dataclass

PEERS_MAX = 256


@dataclass(slots=True)
class Bucket:
    """So many at once, and so many a minute afterwards."""

    per_minute: int
    left: float
    at_s: float

    @classmethod
    def full(cls, per_minute: int, now_s: float) -> "Bucket":
        """Return one that nobody took from yet."""
        return cls(per_minute, float(per_minute), now_s)

    def take(self, now_s: float) -> bool:
        """Whether one more may come now."""
        passed_s = max(0.0, now_s - self.at_s)
        self.left = min(float(self.per_minute), self.left + passed_s * self.per_minute / 60)
        self.at_s = now_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Buckets:
    """A bucket for each of many that nobody knows; those that came last are remembered."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, who: str, now_s: float) -> bool:
        """Whether one more of `who` may come now."""
        bucket = self._buckets.setdefault(who, Bucket.full(self._per_minute, now_s))
        self._buckets.move_to_end(who)
        while len(self._buckets) > PEERS_MAX:
            self._buckets.popitem(last=False)
        return bucket.take(now_s)
