"""What no task awaits: a line that was closed before its watch began is no error, all else is."""

import asyncio
import errno
import logging

import pytest

from edge.lives import left_behind


@pytest.mark.parametrize(
    ("message", "error", "told"),
    [
        ("Exception in callback BaseSelectorEventLoop.add_writer(9)", OSError(errno.EBADF, "Bad fd"), False),
        ("Exception in callback BaseSelectorEventLoop.add_reader(-1)", "Invalid file descriptor: -1", False),
        ("Exception in callback something()", OSError(errno.EBADF, "Bad fd"), True),
        ("Exception in callback BaseSelectorEventLoop.add_writer(9)", OSError(errno.ENOSPC, "full"), True),
    ],
)
def test_only_a_line_closed_before_its_watch_is_passed_over(
    message: str, error: OSError | str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.new_event_loop()
    try:
        exception = ValueError(error) if isinstance(error, str) else error
        left_behind(loop, {"message": message, "exception": exception})
    finally:
        loop.close()
    assert bool([record for record in caplog.records if record.levelno >= logging.WARNING]) is told
