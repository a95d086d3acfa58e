"""What drivers offer beside readings and outputs, to whoever in the gateway decides or asks.

Drivers implement these; who asks knows no driver. Errors are sentences for a person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

Colour = Literal["red", "green", "amber", "blue"]
TEXT_MAX = 32
SECONDS_MAX = 25.5
BEEPS_MAX = 10


class NotDoneError(Exception):
    """What was asked for was not done, or not to its end; the text is one short sentence for a person."""


class RefusedError(Exception):
    """What was asked for is not declared or out of its range; nothing was sent to any device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One answer to a person at a reader; afterwards the reader shows what it showed before."""

    colour: Colour | None = None
    blink: bool = False
    seconds: float = 2.0
    beeps: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        """`RefusedError` for what no reader can do."""
        if not 0.1 <= self.seconds <= SECONDS_MAX:
            raise RefusedError(f"seconds: {self.seconds:g}: expected 0.1 to {SECONDS_MAX:g}")
        if not 0 <= self.beeps <= BEEPS_MAX:
            raise RefusedError(f"beeps: {self.beeps}: expected 0 to {BEEPS_MAX}")
        if len(self.text) > TEXT_MAX or not all(" " <= letter <= "~" for letter in self.text):
            raise RefusedError(f"text: {self.text!r}: expected at most {TEXT_MAX} printable ASCII characters")

    @property
    def parts(self) -> Sequence[str]:
        """What it needs of a reader, of `led`, `buzzer` and `text`."""
        wanted = (("led", self.colour), ("buzzer", self.beeps), ("text", self.text))
        return [part for part, asked in wanted if asked]


GRANTED = Feedback(colour="green", beeps=1)
DENIED = Feedback(colour="red", blink=True, beeps=3)


@runtime_checkable
class ReaderDriver(Protocol):
    """A driver with readers that can be shown something and paired."""

    @property
    def name(self) -> str:
        """The device's name in the settings."""

    @property
    def readers(self) -> Sequence[str]:
        """The readers' names in the settings."""

    async def show(self, reader: str, feedback: Feedback) -> Sequence[str]:
        """Show and sound something; returns which parts the reader has. `NotDoneError`."""

    async def pair(self, reader: str, say: Callable[[str], None]) -> None:
        """Pair a reader and return when it has a secure session with its new key; `NotDoneError`.

        `say` is given how it goes. When the caller is cancelled, the reader may not be paired any more.
        """


@dataclass(frozen=True, slots=True)
class Done:
    """A procedure that was done to its end."""

    answers: Sequence[str]
    """Of its queries; of a block of data the file's name."""
    file: str
    bytes: int
    sha256: str
    """The first `bytes` bytes of the transcript `file` have this hash; the gateway's event says so too."""


Overhear = Callable[[str, str], None]
"""Given kind (`command`, `answer`, `data`, `note`) and text of what is written into the transcript."""


@runtime_checkable
class ProcedureDriver(Protocol):
    """A driver that carries out declared lists of commands."""

    @property
    def name(self) -> str:
        """The device's name in the settings."""

    async def execute(
        self, procedure: str, arguments: Mapping[str, str], *, by: str, overhear: Overhear = ...
    ) -> Done:
        """Carry out a procedure; `RefusedError` before anything is sent, `NotDoneError` afterwards.

        `by` says who or what asked. One that has begun goes on when the caller is cancelled.
        """
