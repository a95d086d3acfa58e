"""Control on site: everything that decides and acts in the gateway, wired; works with hub and broker dead.

`Control` is what the gateway knows of it: it is shown every reading and event, given every credential, runs
its parts, and speaks with the hub over its line. What is decided is in `rules`.

Its members are made in one place, `edge.control.members.make_members(shared)`; each is an
`edge.control.given.Member` (`came`, `look`, `presented`, `replan`, `parts`, `told`) and knows the others only
by what it was handed there. What comes is shown to interlocks first, then to the others in the order of that
list.

What the others may ask is in `Shared`:

- `interlocks.locks() -> Sequence[EntryLock]`: for `rules.access.request.Situation`;
- `await interlocks.act(name, asked) -> Acted`: a person's act; what permits is durable before it counts,
  and then alone (`Acted.refused` is the rules' reason, `Acted.failed` why the disk or the name forbade it);
- `interlocks.command_refusal(device, command) -> Held | None`: why a device or output may not do it now;
- `interlocks.releases(output) -> bool`: whether others may set an output; `Outputs.set` asks it too;
- `interlocks.now() -> Sequence[InterlockNow]`, `interlocks.held_zones() -> Mapping[zone, interlocks]`;
- `interlocks.changed.add(call)`: called in the loop after anything changed, also a vote or a release;
- `work.jobs() -> Sequence[Job]`: those of `down/work` (`rules.access.request.Job`), `work.changed` likewise;
- `line.answer(receipt)`, and `status_changed()` so that the hub hears the new state within 200 ms;
- `status()`: the state of all members as it would be told now.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.control.broken import Broken
from edge.control.given import Given, Member, Part, Seen
from edge.control.interlocks import Interlocks
from edge.control.line import ControlLine
from edge.control.status import StatusDesk
from edge.control.work import WorkDesk
from edge.credential import Presented
from wire.control import ControlStatus
from wire.topics import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the members of control have in common."""

    given: Given
    line: ControlLine
    interlocks: Interlocks
    work: WorkDesk
    status_changed: Callable[[], None]
    status: Callable[[], ControlStatus]
    """The state at this moment, of all members."""


class Control:
    """One gateway's; where nothing is to be controlled it does nothing."""

    def __init__(self, given: Given, make_members: Callable[[Shared], Sequence[Member]]) -> None:
        """`make_members` makes those beside interlocks and work."""
        self.line = ControlLine(given.settings.gateway.id)
        self._work = WorkDesk(given)
        self._interlocks = Interlocks(given, self._work)
        self._desk = StatusDesk(given, self.line)
        shared = Shared(
            given=given,
            line=self.line,
            interlocks=self._interlocks,
            work=self._work,
            status_changed=self._desk.changed,
            status=self._desk.now,
        )
        self._broken = Broken(given, troubles=self._interlocks.troubles, changed=self._desk.changed)
        made = make_members(shared)
        self._members: Sequence[Member] = [self._interlocks, self._work, *made, self._broken]
        self._desk.members = self._members
        for member in self._members:
            self.line.listen(member.came)
        self.line.spoiled = self._spoiled
        self._interlocks.changed.add(self._desk.changed)
        self._work.changed.add(self._desk.changed)

    def _spoiled(self, channel: Channel, reason: str) -> None:
        for member in self._members:
            member.spoiled(channel, reason)

    def look(self, item: Seen) -> None:
        """Take note of what was measured or happened, at once; it is not on the disk yet."""
        for member in self._members:
            member.look(item)

    def presented(self, presented: Presented) -> None:
        """Take a credential at a reader."""
        for member in self._members:
            member.presented(presented)

    def parts(self) -> Mapping[str, Part]:
        """Return what is to be kept running, by name."""
        parts = {name: part for member in self._members for name, part in member.parts().items()}
        parts["control status"] = self._desk.run
        self._broken.names = parts.keys()
        return parts

    @property
    def alive(self) -> bool:
        """Whether the control loop turns, as far as there is one: without, no sign of life is given."""
        return self._interlocks.alive

    def replan(self) -> None:
        """Go on with the devices as they are now."""
        for member in self._members:
            member.replan()

    async def ended(self) -> None:
        """Leave outputs that interlocks own in their safe state; the parts have ended, the drivers run."""
        await self._interlocks.ended()
