"""Releases equipment only while person, authorisation and job hold together, and takes it back at once.

The interlock that owns an output has the last word: what it holds, `Outputs` lets nobody else release.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from edge.access.judge import Judge
from edge.access.owning import as_owner
from edge.control.offers import NotDoneError
from edge.control.outputs import Outputs
from rules.access import Enablement, Situation
from rules.access.request import EntryLock
from rules.access.words import Scope
from wire.control import EquipmentNow
from wire.messages import Scalar
from wire.settings.portal import EquipmentSettings

LOG = logging.getLogger(__name__)
FIRST_S = 1.0
"""Drivers open their devices meanwhile."""
RETRY_S, RETRY_MAX_S = 2.0, 60.0
"""Each failed release is told: one that fails for ever is tried less and less often."""
HELD = "the work there is held"
_DATA_MAX = 200


@dataclass(slots=True)
class Piece:
    """One piece of equipment."""

    settings: EquipmentSettings
    answer: Enablement | None = None
    released: bool | None = None
    """What its output confirmed last; None: nothing."""
    wake_release: asyncio.Event = field(default_factory=asyncio.Event)
    wake_back: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def released_counts(self) -> int:
        """The value that releases it."""
        return int(self.settings.released == "on")


class EquipmentDesk:
    """All equipment that this gateway releases."""

    def __init__(
        self,
        settings: Sequence[EquipmentSettings],
        judge: Judge,
        *,
        outputs: Outputs,
        releases: Callable[[str], bool],
        held_zones: Callable[[], Mapping[str, Sequence[str]]],
        changed: Callable[[], None],
    ) -> None:
        """`releases` says whether the interlock that owns an output lets others set it.

        `held_zones` gives zone -> the interlocks that hold its work.
        """
        self._judge = judge
        self._outputs = outputs
        self._releases = releases
        self._held_zones = held_zones
        self._changed = changed
        self._pieces = [Piece(one) for one in settings]

    def now(self) -> Sequence[EquipmentNow]:
        """Return every piece as it stands."""
        return [_now(piece) for piece in self._pieces if piece.answer is not None]

    def ask(self) -> None:
        """Ask again whether each may work; what must not is taken back at once."""
        if not self._pieces:
            return
        situation = self._situation()
        for piece in self._pieces:
            before, answer = piece.answer, self._judge.enablement(piece.settings.id, situation)
            piece.answer = answer
            if before is None or before != answer:
                self._tell(piece, before)
                self._changed()
            piece.wake_release.set()
            piece.wake_back.set()

    def _situation(self) -> Situation:
        """Return what equipment goes by: where work is held nothing works, though its doors may open."""
        situation = self._judge.situation()
        held = tuple(
            EntryLock(scope=Scope.ZONE, subject=zone, interlock=name, reason=HELD)
            for zone, names in self._held_zones().items()
            for name in names
        )
        return structs.replace(situation, locks=situation.locks + held) if held else situation

    def output_is(self, output: str, count: int | None) -> None:
        """Take what an output is: what others switched on is taken back, what its driver lost comes again."""
        for piece in self._pieces:
            released = None if count is None else count == piece.released_counts
            if piece.settings.output == output and piece.released is not None and released != piece.released:
                piece.released = released
                self._changed()
                piece.wake_release.set()
                piece.wake_back.set()

    def _tell(self, piece: Piece, before: Enablement | None) -> None:
        answer = piece.answer
        assert answer is not None
        if before is not None and (before.enabled, before.reason) == (answer.enabled, answer.reason):
            return
        data: dict[str, Scalar] = {"reason": answer.reason.value}
        texts = {"rule": answer.rule, "detail": answer.detail, "people": ", ".join(answer.people)}
        data |= {name: text[:_DATA_MAX] for name, text in texts.items() if text}
        kind = "equipment_enabled" if answer.enabled else "equipment_disabled"
        self._judge.tell(kind, data, piece.settings.id)

    def _wants(self, piece: Piece) -> bool:
        enabled = piece.answer is not None and piece.answer.enabled
        return enabled and self._releases(piece.settings.output)

    async def run(self) -> None:
        """Have the outputs follow until cancelled, and take everything back then."""
        await asyncio.sleep(FIRST_S)
        try:
            async with asyncio.TaskGroup() as tasks:
                for piece in self._pieces:
                    tasks.create_task(self._release(piece))
                    tasks.create_task(self._take_back(piece))
        finally:
            for piece in self._pieces:
                if piece.released is not False:
                    await self._set(piece, released=False)

    async def _release(self, piece: Piece) -> None:
        """Release it when it may work; that waits for the disk, and fails when it is taken back meanwhile."""
        retry_s = RETRY_S
        while True:
            piece.wake_release.clear()
            if not self._wants(piece) or piece.released:
                retry_s = RETRY_S
                await piece.wake_release.wait()
            elif not await self._set(piece, released=True):
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_MAX_S)

    async def _take_back(self, piece: Piece) -> None:
        """Take it back at once, whatever is under way."""
        while True:
            piece.wake_back.clear()
            if self._wants(piece) or piece.released is False:
                await piece.wake_back.wait()
            elif not await self._set(piece, released=False):
                await asyncio.sleep(RETRY_S)

    async def _set(self, piece: Piece, *, released: bool) -> bool:
        piece.released = None
        answer = piece.answer
        by = f"access: {answer.reason.value} {answer.rule}".rstrip() if answer else "access"
        try:
            if released:
                with as_owner():
                    await self._outputs.set(piece.settings.output, piece.released_counts, by=by[:_DATA_MAX])
            else:
                await self._outputs.make_safe(piece.settings.output, by=by[:_DATA_MAX])
        except NotDoneError as error:
            LOG.warning("equipment %s: %s", piece.settings.id, error)
            return False
        piece.released = released
        self._changed()
        return True


def _now(piece: Piece) -> EquipmentNow:
    answer = piece.answer
    assert answer is not None
    return EquipmentNow(
        name=piece.settings.id,
        enabled=answer.enabled and piece.released is True,
        reason=answer.reason.value,
        rule=answer.rule[:_DATA_MAX],
        detail=answer.detail[:_DATA_MAX],
    )
