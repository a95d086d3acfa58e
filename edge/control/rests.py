"""When outputs were written last, kept over restarts: the rest of a compressor outlives its gateway."""

import struct
from collections.abc import Callable

_KEPT = struct.Struct(">16sd")
_KEY = "outputs/rest/"


class Rests:
    """What is remembered of outputs that rest between two writes."""

    def __init__(
        self,
        *,
        remember: Callable[[str, bytes], None],
        recall: Callable[[str], bytes | None],
        whole: bool,
        boot: bytes,
        now: Callable[[], float],
    ) -> None:
        """`whole` is false when what was kept may be lost: the journal is new, or was damaged.

        `now` is seconds since the boot whose id is `boot`.
        """
        self._remember = remember
        self._recall = recall
        self._whole = whole
        self._boot = boot
        self._now = now

    def last(self, name: str) -> float | None:
        """Return when an output was written last, in seconds since the boot; None when it never was.

        What was written in an earlier boot may have been written just before this one began: nobody asks
        a clock that may be wrong. The same holds where nothing is kept because it may be lost; that is kept,
        since the next process finds a journal that is whole.
        """
        kept = self._recall(_KEY + name)
        if kept is None and self._whole:
            return None
        if kept is None:
            self._remember(_KEY + name, _KEPT.pack(self._boot, 0.0))
            return 0.0
        if len(kept) != _KEPT.size:
            return 0.0
        boot, at = _KEPT.unpack(kept)
        return float(at) if boot == self._boot else 0.0

    def written(self, name: str) -> None:
        """Keep that an output is about to be written; durable with the next commit of the journal."""
        self._remember(_KEY + name, _KEPT.pack(self._boot, self._now()))
