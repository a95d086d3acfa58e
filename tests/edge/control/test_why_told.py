"""Why an interlock tripped, as hub, panel and door are told it, also when the sensor is back."""

import asyncio

import msgspec

from edge.control.picture import reason_words
from edge.control.telling import told_of
from rules.interlock.inputs import Acknowledge, Enable, Moment, Reset
from rules.interlock.state import Change, ChangeKind, Kept, Phase, State
from tests.edge.control.site import ANNE, WARM, WORK, Site
from wire.messages import Event

SILENT = "room/temperature: no good reading for 3.01 s"


def at_the_door(site: Site) -> str:
    (runner,) = site.interlocks.engine.runners
    return reason_words(runner)


def test_silent_sensor_is_told_as_silent_and_not_as_a_limit_that_was_broken() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        site.later(5)
        now = site.now()
        assert [(one.name, one.reason, one.words) for one in now.first_votes] == [("warm", "stale", SILENT)]
        assert now.causes[0].said == SILENT
        assert at_the_door(site) == f"Room 1: {SILENT}"
        for kind in ("interlock_voted", "interlock_tripped"):
            told = next(data for name, data, _ in reversed(site.disk.told) if name == kind)
            assert told["words"] == SILENT
        voted = next(data for name, data, _ in reversed(site.disk.told) if name == "interlock_voted")
        assert voted["reason"] == "stale"

        site.later(2, "23")
        now = site.now()
        assert (now.causes[0].votes, now.causes[0].said) == (False, "")
        assert now.first_votes[0].words == SILENT
        assert at_the_door(site) == f"Room 1: {SILENT}"
        await site.disk.settle()
        site.begin()
        assert site.now().first_votes[0].words == SILENT

    asyncio.run(run())


def test_limit_that_was_broken_is_told_with_value_and_limit_until_it_is_enabled() -> None:
    async def run() -> None:
        site = Site(WARM + WORK)
        await site.enabled()
        site.read("24.11")
        said = "room/temperature was 24.11 °C, above 24.1 °C"
        site.later(2, "23")
        assert at_the_door(site) == f"Room 1: {said}"
        breach = site.now().breach
        assert (await site.interlocks.act("room", Acknowledge(by=ANNE, breach=breach))).done
        assert (await site.interlocks.act("room", Reset(by=ANNE, breach=breach))).done
        now = site.now()
        assert (now.phase, now.first_out, now.first_votes[0].words) == ("reset", ("warm",), said)
        assert now.acknowledged_by == "anne"
        assert at_the_door(site) == f"Room 1: {said}, reset"
        assert (await site.interlocks.act("room", Enable(by=ANNE, breach=breach))).done
        now = site.now()
        assert (now.phase, now.first_out, now.first_votes, now.acknowledged_by) == ("healthy", (), (), "")

    asyncio.run(run())


def test_what_is_no_cause_is_told_in_plain_words() -> None:
    site = Site(WARM + WORK)
    assert at_the_door(site) == "Room 1: it is new here and was never enabled"
    site.whole = False
    site.begin()
    assert at_the_door(site) == "Room 1: it started without a record of how it stood before"


def test_trip_by_ever_so_many_causes_can_still_be_told() -> None:
    now = Moment("b", 0)
    kept = Kept("room", "f", Phase.TRIPPED, now)
    change = Change(ChangeKind.TRIPPED, now, 1, causes=("cause",) * 9000, words="a was 1, above 0; " * 9000)
    kind, data = told_of(change, State(kept, ()))
    event = Event(kind, "room", 1, dict(data))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event
    assert data["words"]
