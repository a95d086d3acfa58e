"""What is wrong with control between settings that are each right: found before they are taken over."""

from collections.abc import Iterable, Iterator

from edge.access.checks import door_problems
from edge.control.outputs import Output
from edge.control.surroundings import outputs_of, surroundings
from edge.driver import Driver
from edge.regulation.rules import regulation_problems
from rules.interlock.configured import rule_faults
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings


def control_faults(settings: GatewaySettings, drivers: Iterable[Driver]) -> list[Fault]:
    """Return what is wrong with control between settings that are each right, given these drivers."""
    made = list(drivers)
    outputs = outputs_of(made)
    points = [point for driver in made for point in driver.points]
    return [
        *_enable_faults(settings.control.enable_output, outputs),
        *rule_faults(settings.interlock, surroundings(settings, points, outputs)),
        *door_problems(settings, points, outputs),
        *regulation_problems(settings, made),
    ]


def _enable_faults(name: str | None, outputs: Iterable[Output]) -> Iterator[Fault]:
    if name is None:
        return
    found = next((output for output in outputs if output.name == name), None)
    if found is None or found.kind != "switch":
        yield Fault("control.enable_output", name, "a switched output of this gateway")
    elif found.safe is None:
        yield Fault("control.enable_output", name, "an output that says which value is towards safety")
