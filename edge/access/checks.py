"""What doors and equipment name and the devices of the gateway do not have, or have otherwise. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from edge.access.contacts import contact_states
from edge.control.outputs import Output
from wire.messages import PointDeclaration
from wire.settings.base import Fault
from wire.settings.gateway import GatewaySettings

APART_MAX_S = 1.0
"""A lock that may not be written again for longer could not be shut in time."""


def door_problems(
    settings: GatewaySettings, points: Iterable[PointDeclaration], outputs: Iterable[Output]
) -> Iterator[Fault]:
    """Yield points and outputs of doors and equipment that are not there or unfit for that."""
    known = {point.name: point for point in points}
    made = {output.name: output for output in outputs}
    for index, portal in enumerate(settings.portal):
        place = f"portal[{index}]"
        if portal.lock_output is not None:
            name, value = portal.lock_output, portal.lock_unlocks
            yield from _output(f"{place}.lock_output", name, made)
            yield from _value(f"{place}.lock_unlocks", value, made.get(name))
        yield from _contact(f"{place}.contact_point", portal.contact_point, known)
        yield from _button(f"{place}.exit_button_point", portal.exit_button_point, known)
    for index, one in enumerate(settings.equipment):
        yield from _output(f"equipment[{index}].output", one.output, made)
        yield from _value(f"equipment[{index}].released", one.released, made.get(one.output))


def _output(place: str, name: str, made: Mapping[str, Output]) -> Iterator[Fault]:
    output = made.get(name)
    if output is None or output.kind != "switch":
        switches = sorted(one.name for one in made.values() if one.kind == "switch")
        yield Fault(place, name, f"a switched output of this gateway ({', '.join(switches) or 'none'})")
    elif output.safe is None:
        yield Fault(place, name, "an output that says which value is towards safety")
    elif output.apart_s > APART_MAX_S:
        yield Fault(place, name, f"an output that may be written again after {APART_MAX_S:g} s")


def _value(place: str, value: str, output: Output | None) -> Iterator[Fault]:
    """Yield a value that lets somebody pass, or something work, while the output is at rest."""
    if output is not None and output.safe == int(value == "on"):
        yield Fault(place, value, f"another value than that in which {output.name} rests")


def _contact(place: str, name: str | None, known: Mapping[str, PointDeclaration]) -> Iterator[Fault]:
    if name is not None and (name not in known or not contact_states(known[name])):
        contacts = sorted(one.name for one in known.values() if contact_states(one))
        yield Fault(place, name, f"a point with the states closed and open ({', '.join(contacts) or 'none'})")


def _button(place: str, name: str | None, known: Mapping[str, PointDeclaration]) -> Iterator[Fault]:
    buttons = sorted(one.name for one in known.values() if "pressed" in one.states.values())
    if name is not None and name not in buttons:
        yield Fault(place, name, f"an input of kind request_to_exit ({', '.join(buttons) or 'none'})")
