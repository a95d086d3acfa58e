"""The supervisor: backs off, tells silence, and survives a driver's bug."""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.driver import DeviceUnavailable, Driver, Emitter, ProbeLine
from edge.recorder import Recorder
from edge.supervisor import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    Backoff,
    Supervisor,
    UnexpectedError,
    contained,
)
from wire.messages import Layout, PointDeclaration, Poll
from wire.status import GapCause


class Script:
    """A driver that does one thing after another."""

    name = "script"
    points: Sequence[PointDeclaration] = [PointDeclaration(name="a/t", quantity="temperature")]
    layouts: Sequence[Layout] = ()

    def __init__(self, *acts: Exception | Poll) -> None:
        self.acts = list(acts)

    async def run(self, emit: Emitter) -> None:
        while self.acts:
            act = self.acts.pop(0)
            if isinstance(act, Exception):
                raise act
            await emit.poll(act)
        raise asyncio.CancelledError

    async def probe(self) -> Sequence[ProbeLine]:
        return ()


class Notes:
    """Where a recorder would stand."""

    def __init__(self) -> None:
        self.silences: list[tuple[GapCause, str]] = []
        self.told: list[str] = []
        self.polls = 0

    async def poll(self, poll: Poll) -> None:
        self.polls += 1

    async def position(self, position: object) -> None: ...

    async def event(self, event: object) -> None: ...

    async def silent(self, points: Sequence[str], *, cause: GapCause, reason: str, tick: int) -> None:
        self.silences.append((cause, reason))

    def time(self, hint: object) -> None: ...

    def tell(self, kind: str, data: object, *, subject: str = "") -> None:
        self.told.append(kind)


def run(*acts: Exception | Poll) -> tuple[Notes, list[float], Supervisor]:
    notes, waits = Notes(), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    supervisor = Supervisor(
        cast("Driver", Script(*acts)),
        cast("Recorder", notes),
        backoff=Backoff(1.0, 60.0, random=lambda: 1.0),
        now=lambda: 0.0,
        now_tick=lambda: 7,
        sleep=sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(supervisor.run())
    return notes, waits, supervisor


def test_unavailable_device_is_silent_and_waited_for_longer_and_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes, waits, _ = run(*[DeviceUnavailable("no answer") for _ in range(9)])
    assert notes.silences == [(GapCause.BUS, "no answer")] * 9
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(caplog.records) == 1


def test_answer_begins_the_waits_anew_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lost = DeviceUnavailable("no answer")
    poll = Poll("00000000", 1, [1])
    _, waits, _ = run(lost, lost, lost, poll, poll, lost)
    assert waits == [1, 2, 4, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "script: no answer",
        "script: back",
        "script: no answer",
    ]


def test_outage_is_logged_once_however_its_reasons_vary(caplog: pytest.LogCaptureFixture) -> None:
    lost = [DeviceUnavailable(reason) for reason in ("connection closed", "cannot connect", "no answer")]
    notes, _, _ = run(*lost, *lost, ZeroDivisionError("oops"), *lost, Poll("00000000", 1, [1]))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "script: connection closed",
        "script: unexpected error",
        "script: back",
    ]
    assert [reason for _, reason in notes.silences[:3]] == [
        "connection closed",
        "cannot connect",
        "no answer",
    ]


def test_bug_in_a_driver_is_logged_with_its_traceback_told_and_started_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes, _, supervisor = run(ZeroDivisionError("oops"), Poll("00000000", 1, [1]))
    assert notes.told == ["driver_failed"]
    assert notes.silences == [(GapCause.GATEWAY, "ZeroDivisionError: oops")]
    assert notes.polls == 1
    assert supervisor.crashes == 1
    assert caplog.records[0].exc_info


def test_waits_are_shortened_by_chance_but_never_below_half() -> None:
    backoff = Backoff(10.0, 60.0, random=lambda: 0.0)
    assert [backoff.wait_s(0), backoff.wait_s(0)] == [5.0, 10.0]


def test_long_run_counts_as_success() -> None:
    backoff = Backoff(1.0, 60.0, random=lambda: 1.0)
    for _ in range(5):
        backoff.wait_s(0)
    backoff.started(100.0)
    assert backoff.wait_s(200.0) == 1.0


@given(st.floats(0, 10_000), st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_device_that_is_back_waits_for_one_pause_at_most(outage_s: float, chances: list[float]) -> None:
    """The bound of docs/reference/drivers/README.md, for a device that refuses at once while it is away."""
    backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, random=itertools.cycle(chances).__next__)
    now = 0.0
    while now <= outage_s:
        backoff.started(now)
        now += backoff.wait_s(now)
    assert now - outage_s <= min(60.0, 2 * outage_s + 1) + 1e-6


def test_bug_that_is_known_is_raised_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def buggy(text: str) -> None:
        raise ZeroDivisionError(text)

    async def run() -> None:
        known = ""
        for text in ("oops", "oops", "another", "oops"):
            with pytest.raises(UnexpectedError, match=text) as raised:
                await contained("relay", buggy(text), expected=(), known=known)
            known = str(raised.value)

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == ["relay: unexpected error"] * 3
