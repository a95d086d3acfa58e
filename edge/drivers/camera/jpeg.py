"""Finds whole JPEG pictures in a stream of bytes: of ffmpeg's MJPEG, or inside the blocks of a Matroska file.

Source: ITU-T T.81, annex B. What is no picture is passed over.
"""

_START = b"\xff\xd8\xff"
_END, _SCAN = 0xD9, 0xDA
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
"""Markers without a length: TEM and RST0 to RST7."""


class Jpegs:
    """Takes bytes as they come, gives the pictures that are complete with them."""

    def __init__(self, bytes_max: int) -> None:
        """A picture of more than `bytes_max` is none."""
        self._bytes_max = bytes_max
        self._held = bytearray()
        self._at = 0
        """How far the picture at the beginning of what is held has been followed."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pictures that end in these bytes."""
        self._held += data
        found: list[bytes] = []
        while True:
            if not self._at and not self._begin():
                return found
            end = self._follow()
            if end is None:
                return found
            if end:
                found.append(bytes(self._held[:end]))
            self._drop(end or 2)

    def _begin(self) -> bool:
        """Put the beginning of a picture first; False when there is none."""
        start = self._held.find(_START)
        if start < 0:
            del self._held[: max(0, len(self._held) - 2)]
            return False
        self._drop(start)
        self._at = 2
        return True

    def _drop(self, count: int) -> None:
        del self._held[:count]
        self._at = 0

    def _follow(self) -> int | None:
        """Return where the picture ends, 0 when it is none, None when more bytes are needed."""
        held = self._held
        while True:
            if self._at > self._bytes_max:
                return 0
            if len(held) < self._at + 4:
                if held[self._at : self._at + 2] == b"\xff\xd9":
                    return self._at + 2
                return None
            if held[self._at] != 0xFF:
                return 0
            marker = held[self._at + 1]
            if marker == _END:
                return self._at + 2
            if marker in _ALONE or marker == 0xFF:
                self._at += 1 if marker == 0xFF else 2
                continue
            size = int.from_bytes(held[self._at + 2 : self._at + 4], "big")
            if size < 2 or marker in (0x00, 0xD8):
                return 0
            if marker != _SCAN:
                self._at += 2 + size
                continue
            end = self._scanned(self._at + 2 + size)
            if end is None:
                return 0 if len(held) > self._bytes_max else None
            self._at = end

    def _scanned(self, at: int) -> int | None:
        """Return where the data of a scan ends, at a marker; None when more bytes are needed."""
        held = self._held
        while True:
            at = held.find(b"\xff", at)
            if at < 0 or at + 1 >= len(held):
                return None
            if held[at + 1] and held[at + 1] not in _ALONE:
                return at
            at += 2
