"""Steps the wall clock of one real process (libfaketime) and leaves its monotonic clock alone.

It does not touch the machine's clock.
"""

from dataclasses import dataclass
from pathlib import Path

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
)


def find_library() -> Path | None:
    """Return where libfaketime is installed, or None."""
    return next((path for text in LIBRARIES if (path := Path(text)).exists()), None)


@dataclass(frozen=True, slots=True)
class WallClock:
    """The wall clock of the processes that were started with `environment`."""

    library: Path
    file: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to live by this clock."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def step(self, offset_s: int) -> None:
        """Put the clock this far from the machine's; 0 is right again."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}\n")
        fresh.replace(self.file)
