"""What of control does not work is told to the hub: a part that ended by a bug, an output that fails."""

import asyncio

import pytest

from edge.control.broken import FAILING_S, STEADY_S
from tests.edge.control.site import Site, running, turns
from wire.control import ControlStatus, FaultNow

pytestmark = pytest.mark.requirement("G-6.9b")
PART = "interlock output gpio/relay: safe"


def told(site: Site) -> ControlStatus:
    return site.status()


def test_part_that_ended_by_a_bug_is_told_until_it_has_run_for_long() -> None:
    site = Site()
    assert site.control is not None
    assert PART in site.control.parts()
    assert told(site).faults == ()
    site.tell("part_failed", {"reason": "TypeError: contained() got too much"}, PART)
    (fault,) = told(site).faults
    assert fault == FaultNow(part=PART, reason="TypeError: contained() got too much", at_ms=site.utc_ms)
    site.later(STEADY_S - 1)
    site.tell("part_failed", {"reason": "TypeError: again"}, PART)
    site.later(STEADY_S - 1)
    assert [(one.reason, one.at_ms) for one in told(site).faults] == [("TypeError: again", fault.at_ms)]
    site.later(1)
    assert told(site).faults == ()


def test_part_of_the_rest_of_the_gateway_is_no_matter_of_control() -> None:
    site = Site()
    assert site.control is not None
    site.control.parts()
    site.tell("part_failed", {"reason": "KeyError"}, "media")
    assert told(site).faults == ()


@pytest.mark.parametrize("bug", [None, TypeError("a bug of the driver")])
def test_output_that_cannot_be_written_for_long_is_told_until_it_can(bug: Exception | None) -> None:
    asyncio.run(_fail_and_mend(Site(), bug))


async def _fail_and_mend(site: Site, bug: Exception | None) -> None:
    site.board.gone = bug is None
    if bug is not None:
        site.board.bugs["write"] = bug
    async with running(site, "safe"):
        while not site.interlocks.troubles():
            await _tried(site)
        assert told(site).faults == ()
        site.later(FAILING_S)
        (fault,) = told(site).faults
        assert fault.part == "output gpio/relay"
        assert ("no answer" if bug is None else "a bug of the driver") in fault.reason
        site.board.gone = False
        site.board.bugs.clear()
        await _tried(site)
    assert told(site).faults == ()


async def _tried(site: Site) -> None:
    """Have what holds the output try again at once."""
    (holder,) = site.interlocks._holders()
    holder.demand_safe()
    await turns()
