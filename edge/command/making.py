"""Makes the desk of commands out of what control has: who does what, and what stands against it."""

from collections.abc import Callable, Mapping

from edge.command.desk import CommandDesk
from edge.command.doing import Doer, InstrumentDoer, InterlockDoer, NobodyDoer, OutputDoer, text
from edge.control.room import Shared
from rules.access.snapshot import Snapshot
from rules.authority import is_staff, rights_at
from rules.command import KINDS, SENTENCES, Place, Refusal
from rules.interlock.reasons import SENTENCES as WHY
from wire.control import Command

Rights = Callable[[], Snapshot | None]
"""The access rights in force."""


def make_desk(shared: Shared, *, rights: Rights = lambda: None, doers: Mapping[str, Doer]) -> CommandDesk:
    """Return the desk; `doers` are those of `portal`, `access` and `regulation`, as far as there are any."""
    given = shared.given
    known: dict[str, Doer] = {
        "interlock": InterlockDoer(shared.interlocks),
        "output": OutputDoer(given.outputs),
        "instrument": InstrumentDoer(given.drivers),
        "portal": NobodyDoer("doors"),
        "access": NobodyDoer("doors"),
        "regulation": NobodyDoer("regulation"),
        **doers,
    }
    gate = Gate(shared, rights)
    place = Place(gateway=given.settings.gateway.id, lacks=gate.lacks, forbids=gate.forbids)
    return CommandDesk(
        given, place=place, doers=known, answer=shared.line.answer, changed=shared.status_changed
    )


class Gate:
    """What this gateway has against a command, whatever the hub found."""

    def __init__(self, shared: Shared, rights: Rights) -> None:
        self._shared = shared
        self._rights = rights

    def lacks(self, command: Command) -> str:
        """Return why the gateway's own rights take from somebody what the hub gave; those unknown keep it."""
        snapshot = self._rights()
        if snapshot is None:
            return ""
        at_ms = self._shared.given.utc_ms()
        at_ms = command.issued_at_ms if at_ms is None else at_ms
        right = KINDS[command.name].right
        for person in (command.by, command.second):
            if not right or not person or snapshot.person(person) is None:
                continue
            if not is_staff(snapshot, person, at_ms=at_ms):
                return f"person {person} is not active staff by the rights of this gateway"
            if command.name.startswith("interlock."):
                found = rights_at(snapshot, person, text(command, "interlock"), at_ms=at_ms)
                if right not in found:
                    return f"person {person}: no authorisation to {right} by the rights of this gateway"
        return ""

    def forbids(self, command: Command) -> str:
        """Return which interlock forbids it; what is towards safety it never does."""
        interlocks, outputs = self._shared.interlocks, OutputDoer(self._shared.given.outputs)
        if command.name == "output.set":
            output = text(command, "output")
            if outputs.is_safe(command) or interlocks.releases(output):
                return ""
            held = interlocks.command_refusal(output, "set")
        elif command.name == "instrument.run":
            held = interlocks.command_refusal(text(command, "device"), text(command, "procedure"))
            if held is None:
                return ""
        else:
            return ""
        if held is None:
            return SENTENCES[Refusal.INTERLOCK]
        return f"interlock {held.interlock}: {WHY[held.reason]}"
