"""What `heng edge check` says of interlocks: each with its time from breach to the confirmed safe state."""

from collections.abc import Iterator, Sequence

from edge.control.surroundings import outputs_of, surroundings
from edge.driver import Driver, ProbeLine
from rules.interlock.configured import make_rule
from rules.interlock.matrix import worst_s
from wire.settings.gateway import GatewaySettings


def interlock_lines(settings: GatewaySettings, drivers: Sequence[Driver]) -> Iterator[ProbeLine]:
    """Yield a line for each interlock; their faults were found before."""
    points = [point for driver in drivers for point in driver.points]
    around = surroundings(settings, points, outputs_of(drivers))
    plant = around.plant()
    for one in settings.interlock:
        rule = make_rule(one, around.points)
        causes = sum(1 for _ in rule.causes())
        answer = f"{causes} cause(s), {len(rule.effects)} effect(s); safe within {worst_s(rule, plant):g} s"
        yield ProbeLine(f"interlock {rule.name}", ok=True, answer=answer)
