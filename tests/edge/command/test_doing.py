"""What becomes of each command: who is asked, what comes of it, what is refused before anything happens."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from edge.command.doing import ForbiddenError, InstrumentDoer, InterlockDoer, NobodyDoer, OutputDoer, asked_of
from edge.control.offers import Done, Overhear, RefusedError
from edge.driver import Declared, Emitter, ProbeLine
from rules.command import KINDS
from rules.interlock.acts import RIGHTS
from rules.interlock.inputs import (
    Acknowledge,
    Asked,
    BeginBypass,
    Enable,
    EndBypass,
    PassCheck,
    Reset,
    Trip,
)
from tests.edge.control.site import Site, running
from wire.control import Command
from wire.messages import Scalar
from wire.shadow import Revision
from wire.status import GapCause


def command(name: str, **arguments: Scalar) -> Command:
    return Command(
        gateway="gw-1",
        id=bytes(16),
        fence=Revision(1, 1),
        name=name,
        arguments=arguments,
        by="17",
        rights=("acknowledge", "reset", "enable", "bypass", "check", "operate"),
        second="18",
        issued_at_ms=0,
        not_after_ms=1,
    )


class Meter(Declared):
    """Implements `edge.control.offers.ProcedureDriver`."""

    def __init__(self) -> None:
        super().__init__("meter", points=[], layouts=[], late=GapCause.BUS)
        self.asked: list[tuple[str, Mapping[str, str], str]] = []

    async def run(self, emit: Emitter) -> None:
        await asyncio.Event().wait()

    async def probe(self) -> Sequence[ProbeLine]:
        return []

    async def execute(
        self, procedure: str, arguments: Mapping[str, str], *, by: str, overhear: Overhear = print
    ) -> Done:
        self.asked.append((procedure, arguments, by))
        return Done(["1.5", "ok"], "meter/transcript-1", 120, "ab" * 32)


@pytest.mark.requirement("G-6.9d")
def test_procedure_tells_its_answers_and_where_its_transcript_is() -> None:
    meter = Meter()
    run = command("instrument.run", device="meter", procedure="range", range="10")
    data = asyncio.run(InstrumentDoer(lambda: [meter]).do(run))
    assert data == {"answers": "1.5\nok", "file": "meter/transcript-1", "bytes": 120, "sha256": "ab" * 32}
    assert meter.asked == [("range", {"range": "10"}, "command: 17")]


def test_procedure_of_a_device_that_has_none_is_refused() -> None:
    run = command("instrument.run", device="scale", procedure="range")
    with pytest.raises(RefusedError, match=r"device scale: expected one with procedures \(meter\)"):
        asyncio.run(InstrumentDoer(lambda: [Meter()]).do(run))


WHAT: list[tuple[type[Asked], str, dict[str, Any]]] = [
    (Trip, "trip", {"reason": "smoke"}),
    (Acknowledge, "acknowledge", {"breach": 3, "comment": "seen"}),
    (Reset, "reset", {"breach": 3, "reason": "repaired"}),
    (Enable, "enable", {"breach": 3}),
    (BeginBypass, "bypass", {"cause": "warm", "reason": "test", "seconds": 60.0}),
    (EndBypass, "end_bypass", {"cause": "warm"}),
    (PassCheck, "pass_check", {"cause": "moved", "record": "C-7"}),
]


@pytest.mark.parametrize(("kind", "word", "arguments"), WHAT)
def test_every_act_is_asked_of_the_interlock_in_the_name_of_who_asked(
    kind: type[Asked], word: str, arguments: dict[str, Any]
) -> None:
    asked = asked_of(command(f"interlock.{word}", interlock="room", **arguments))
    assert type(asked) is kind
    assert asked.by.id == "17"
    assert {name: getattr(asked, name) for name in arguments} == arguments
    right = RIGHTS.get(kind)
    assert KINDS[f"interlock.{word}"].right == ("" if right is None else right.value)


def test_interlock_answers_with_where_it_stands_or_its_own_reason() -> None:
    async def run() -> None:
        site = Site()
        async with running(site):
            site.later(2, "23")
            breach, doer = site.now().breach, InterlockDoer(site.interlocks)
            done = await doer.do(command("interlock.acknowledge", interlock="room", breach=breach))
            assert done == {"phase": "ready_to_reset", "breach": breach}
            with pytest.raises(ForbiddenError) as refused:
                await doer.do(command("interlock.enable", interlock="room", breach=breach))
            assert (refused.value.word, str(refused.value)) == (
                "not_reset",
                "the interlock has to be reset first",
            )
            with pytest.raises(RefusedError, match="attic"):
                await doer.do(command("interlock.trip", interlock="attic"))

    asyncio.run(run())


def test_output_tells_what_the_device_confirmed() -> None:
    async def run() -> None:
        site = Site("")
        doer = OutputDoer(site.outputs)
        lamp = command("output.set", output="gpio/lamp", value="1")
        assert await doer.do(lamp) == {"output": "gpio/lamp", "counts": 1, "exponent": 0, "value": "1"}
        with pytest.raises(RefusedError, match="gpio/lamp: 2: expected 0 to 1"):
            await doer.do(replace(lamp, arguments={"output": "gpio/lamp", "value": "2"}))
        with pytest.raises(RefusedError, match="output attic: expected one of"):
            await doer.do(replace(lamp, arguments={"output": "attic", "value": "2"}))
        assert doer.is_safe(command("output.set", output="gpio/relay", value="0"))
        assert not doer.is_safe(command("output.set", output="gpio/relay", value="1"))
        assert not doer.is_safe(command("output.set", output="attic", value="0"))

    asyncio.run(run())


def test_what_a_gateway_is_not_set_up_for_is_refused() -> None:
    with pytest.raises(RefusedError, match="this gateway has no doors"):
        asyncio.run(NobodyDoer("doors").do(command("portal.open", portal="door", side="in")))
