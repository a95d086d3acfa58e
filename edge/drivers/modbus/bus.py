"""What the driver asks of a line, whatever carries it, and the errors of all of them.

Errors::

    BusError
    ├── NoAnswerError        nothing came in time, or it did not fit the question; the line is good
    ├── RefusedError         the device answered with an exception code
    └── ConnectionLostError  the line is gone, or what came can no longer be told apart
"""

from typing import Protocol, Self

from edge.drivers.modbus.frames import Question

UNREACHABLE_CODES = frozenset({0x0A, 0x0B})
"""Exceptions by which a gateway says that the unit behind it does not answer (V1.1b3, section 7)."""


class BusError(Exception):
    """A question that got no answer; the text is one short sentence for a person."""


class NoAnswerError(BusError):
    """The unit did not answer in time, or answered something else; others may."""


class RefusedError(BusError):
    """The unit answered with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class ConnectionLostError(BusError):
    """The connection is gone; a new one is needed."""


class Bus(Protocol):
    """One line with one owner; an async context manager that may be entered again. It never asks twice."""

    @property
    def where(self) -> str:
        """What it connects to, for a person."""

    @property
    def hurried(self) -> bool:
        """Whether an answer may be given up early: not where a late one gets into the next one's way."""

    @property
    def overhead_s(self) -> float:
        """How long a question may take beside the unit's own time: the line, and the quiet before."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def reopen(self) -> None:
        """Close what is open and connect anew; `ConnectionLostError` when that fails."""

    async def ask(self, unit: int, question: Question, *, timeout_s: float) -> list[int]:
        """Return the registers or bits that were asked for, nothing for a write; or raise a `BusError`."""

    def rest_s(self, unit: int) -> float:
        """Return for how long a unit must not be asked, since a late answer of it may still come."""


def refused(code: int) -> BusError:
    """Return what an exception code means: the unit refuses, or a gateway cannot reach it."""
    if code in UNREACHABLE_CODES:
        return NoAnswerError(f"the gateway cannot reach the unit (Modbus exception {code})")
    return RefusedError(code)
