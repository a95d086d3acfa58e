"""Takes settings of the hub over, or says why not: staged, checked, tried, watched, kept or rolled back.

Each step is on disk before it is taken. A gateway always starts with settings that ran well; what was tried
when it ended unexpectedly is not tried again, what a clean stop interrupted is. So no revision can brick a
gateway, and none is ever half in force.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from edge.crew import Change
from edge.reload import Taken
from edge.shadow.book import FILE_NAME, Book, BookError, Kept, Standing, State, Trial
from edge.shadow.health import Before, Health
from edge.shadow.rest import RESTART, changed_rest, restart_faults
from edge.shadow.sources import Sources
from wire.messages import Scalar, as_text
from wire.settings.base import Fault, shorten
from wire.settings.gateway import GatewaySettings
from wire.shadow import (
    DOCUMENT_BYTES_MAX,
    FAULTS_MAX,
    OWN_FILE,
    Desired,
    Reported,
    Revision,
    SettingsFault,
    ShadowState,
    document_hash,
)

LOG = logging.getLogger(__name__)
SETTLE_S = 15.0
"""A gateway that has just started gets so long, or a quarter of the watch, before anything is changed."""
ATTEMPTS_MAX = 2
"""A revision whose check ended the gateway so often is not checked again."""
_LOOKS = 20
_LOOK_MAX_S = 1.0
_FILE_ALONE = Fault("gateway.settings", "file", "hub, for settings that come from there")

Tell = Callable[[str, Mapping[str, Scalar]], None]
Take = Callable[[GatewaySettings, Mapping[str, Scalar]], Awaitable[Taken]]


class Wishes:
    """The newest settings that came from the hub and were not looked at yet."""

    def __init__(self) -> None:
        self._newest: Desired | None = None
        self._came = asyncio.Event()

    def put(self, desired: Desired) -> None:
        """Keep a wish; an older one that waits is left out."""
        if self._newest is None or desired.revision.order >= self._newest.revision.order:
            self._newest = desired
            self._came.set()

    async def next(self) -> Desired:
        """Wait for a wish and take it."""
        while self._newest is None:
            await self._came.wait()
            self._came.clear()
        desired, self._newest = self._newest, None
        return desired


@dataclass(frozen=True, slots=True)
class Given:
    """What a keeper works with."""

    gateway: str
    sources: Sources
    book: Book
    wishes: Wishes
    take: Take
    """Takes checked settings over; the words go along with the event."""
    in_force: Callable[[], GatewaySettings]
    health: Health
    tell: Tell
    report: Callable[[Reported], None]
    utc_ms: Callable[[], int | None]
    now: Callable[[], float]
    """Monotonic seconds."""
    watch_s: float
    set_aside: Sequence[Fault] = ()
    """Why the file alone counted when the gateway started, although the hub's settings were kept."""
    restart: Callable[[], None] | None = None
    """Has the gateway stop in order and start again; without it what needs that is refused."""
    tries: bool = False
    """Whether the gateway was started with what is on trial."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Keeper:
    """One gateway's."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._state = State()
        self._begun = False
        self._good = given.in_force()
        """What to go back to while something is tried."""
        self._aside: Sequence[Fault] = ()
        self._own = False
        self._text: str | None = None
        self._look_at_file(given.set_aside)
        self._declined = OWN_FILE
        self._ready_at = given.now() + min(SETTLE_S, given.watch_s / 4)

    async def run(self) -> None:
        """Finish what was begun, then follow the hub until cancelled."""
        await self._begin()
        while True:
            await self._consider(await self._given.wishes.next())

    def reloaded(self) -> None:
        """Take note that the gateway's own file was read again and taken over, and tell the hub."""
        self._look_at_file(self._given.sources.in_force(trial=True).set_aside)
        if self._begun and self._state.trial is None:
            self._good = self._given.in_force()
            self._report()

    def _look_at_file(self, set_aside: Sequence[Fault]) -> None:
        """Keep what the file says now: whether the hub has a say, and what the hub may see of it."""
        follows = self._given.sources.follows_hub()
        self._own = follows and not set_aside
        """Whether what was kept of the hub's settings is in force."""
        self._aside = list(set_aside) if follows else [_FILE_ALONE]
        """Why it is not."""
        self._text = self._given.sources.own_text()

    # --- after a start -------------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._state, damage = self._given.book.read()
        self._begun = True
        if damage:
            LOG.error("settings: what was kept of the hub's is lost: %s", damage)
            self._given.tell("settings_refused", {"faults": 1, "first": damage[:200]})
            self._settle(State())
        trial = self._state.trial
        if self._given.set_aside and self._state.running is not None:
            self._say("settings_refused", self._state.running.revision, self._given.set_aside)
        if trial is not None and trial.step == "watched" and trial.over_start and self._given.tries:
            await self._run_on(trial, trial.over_start)
            return
        if trial is not None and trial.step == "watched":
            ended = Fault("gateway", "ended", "to go on running while new settings are watched")
            await self._roll_back(trial, [ended])
            return
        if self._given.in_force() != self._good:  # This part failed while it went back.
            await self._given.take(self._good, {"revision": _word(self._running())})
        if trial is not None and not self._given.sources.follows_hub():
            self._settle(structs.replace(self._state, trial=None))
            self._declined = trial.revision
            self._decline(trial, [_FILE_ALONE])
        elif trial is not None and trial.step == "restart":
            self._decline(trial, [_full(BookError(FILE_NAME))])
        elif trial is not None and trial.attempts >= ATTEMPTS_MAX:
            self._refuse(trial, [Fault("gateway", "ended", "to go on running while settings are checked")])
        elif trial is not None:
            await self._try(trial)
        else:
            self._report()

    # --- what the hub wants --------------------------------------------------------------------------

    async def _consider(self, desired: Desired) -> None:
        """Look at one wish; what is not newer than what was seen is no wish at all."""
        if desired.revision.order <= self._state.seen.order or desired.revision == self._declined:
            return
        trial = Trial(desired.revision, desired.document, "staged")
        if document_hash(desired.document) != desired.hash:
            LOG.error("settings: a document of the hub is not the one that its hash names")
            return
        if not self._given.sources.follows_hub():
            self._declined = trial.revision
            self._decline(trial, [_FILE_ALONE])
            return
        try:
            self._write(structs.replace(self._state, trial=trial))
        except BookError as error:
            self._decline(trial, [_full(error)])
            return
        self._given.tell("settings_staged", {"revision": _word(desired.revision)})
        await self._try(trial)

    async def _try(self, staged: Trial) -> None:
        """Check a staged document and, if it is right, run it and watch.

        Only the check counts as an attempt: who cuts the power while a start settles has said nothing of it.
        """
        await self._given.sleep(max(0.0, self._ready_at - self._given.now()))
        trial = Trial(staged.revision, staged.document, "staged", staged.attempts + 1)
        try:
            self._write(structs.replace(self._state, trial=trial))
            settings, faults = await self._checked(trial)
            if settings is None:
                self._refuse(trial, faults)
                return
            self._good = self._given.in_force()
            if settings == self._good:
                self._keep(trial)
                return
            if rest := changed_rest(self._good, settings):
                await self._start_again(trial, settings, rest)
                return
            watched = Trial(trial.revision, trial.document, "watched", trial.attempts)
            self._write(structs.replace(self._state, trial=watched))
        except BookError as error:
            self._decline(trial, [_full(error)])
            return
        await self._run(watched, settings)

    async def _checked(self, trial: Trial) -> tuple[GatewaySettings | None, list[Fault]]:
        try:
            return await asyncio.to_thread(self._given.sources.judged, trial.document)
        except asyncio.CancelledError:
            self._interrupted(trial)
            raise

    async def _run(self, trial: Trial, settings: GatewaySettings) -> None:
        before = self._given.health.begin()
        faults: Sequence[Fault] = ()
        try:
            taken = await self._given.take(settings, {"revision": _word(trial.revision)})
            if not taken.faults:
                self._report(now=trial, state=ShadowState.TRYING)
                faults = await self._watch(before, taken.change)
        except asyncio.CancelledError:
            self._interrupted(trial)
            raise
        if taken.faults:
            self._refuse(trial, taken.faults)
            return
        if not faults:
            try:
                self._keep(trial)
            except BookError as error:
                faults = [_full(error)]
        if faults:
            await self._roll_back(trial, faults)

    async def _start_again(self, trial: Trial, settings: GatewaySettings, rest: Sequence[str]) -> None:
        """Have the gateway start again with settings that it cannot take over while it runs."""
        restart = self._given.restart
        if restart is None:
            self._refuse(trial, [Fault(name, "changed", RESTART) for name in rest])
            return
        if faults := restart_faults(self._good, settings, rest):
            self._refuse(trial, faults)
            return
        seen = self._given.health.begin()
        standing = Standing(sorted(seen.points), seen.connected, sorted(seen.failing))
        ready = Trial(trial.revision, trial.document, "restart", trial.attempts, standing)
        self._write(structs.replace(self._state, trial=ready))
        LOG.warning("settings: the gateway starts again for revision %s", _word(trial.revision))
        restart()
        await _for_ever()

    async def _run_on(self, trial: Trial, standing: Standing) -> None:
        """Watch what the gateway was started with; what is worse than before the start has it start again."""
        restart = self._given.restart
        assert restart is not None
        before = self._given.health.go_on(standing)
        names = [device.name for device in self._given.in_force().device]
        self._report(now=trial, state=ShadowState.TRYING)
        try:
            faults = await self._watch(before, Change((), names, ()))
        except asyncio.CancelledError:
            self._interrupted(trial)
            raise
        if not faults:
            try:
                self._keep(trial)
            except BookError as error:
                faults = [_full(error)]
        if faults:
            self._settle(self._judged(trial, ShadowState.ROLLED_BACK, faults))
            self._say("settings_rolled_back", trial.revision, faults)
            restart()
            await _for_ever()

    async def _watch(self, before: Before, change: Change) -> list[Fault]:
        """Return what is worse than before; at once where it is certain, else when the watch is over."""
        health, watch_s = self._given.health, self._given.watch_s
        end = before.at + watch_s
        while (left := end - self._given.now()) > 0:
            await self._given.sleep(min(left, _LOOK_MAX_S, watch_s / _LOOKS))
            if faults := health.faults_so_far(before, change):
                return faults
        return health.faults_at_end(before, change)

    # --- what becomes of it --------------------------------------------------------------------------

    def _keep(self, trial: Trial) -> None:
        """The document stays; raises `BookError` when that cannot be written down."""
        kept = Kept(trial.revision, trial.document)
        self._write(self._judged(trial, ShadowState.APPLIED, running=kept))
        self._own = True
        self._good = self._given.in_force()
        LOG.warning("settings: revision %s of the hub is kept", _word(trial.revision))
        self._given.tell("settings_kept", {"revision": _word(trial.revision)})
        self._report()

    def _refuse(self, trial: Trial, faults: Sequence[Fault]) -> None:
        self._settle(self._judged(trial, ShadowState.REFUSED, faults))
        self._say("settings_refused", trial.revision, faults)
        self._report()

    async def _roll_back(self, trial: Trial, faults: Sequence[Fault]) -> None:
        """Say first on disk that it failed, then go back; a start in between begins with what ran before."""
        self._settle(self._judged(trial, ShadowState.ROLLED_BACK, faults))
        back = await self._given.take(self._good, {"revision": _word(self._running())})
        for fault in back.faults:
            LOG.error("settings: what ran before cannot be taken over again: %s", fault)
        self._say("settings_rolled_back", trial.revision, faults)
        if back.faults:  # What was tried still runs, and the hub is not told otherwise.
            self._report(now=trial, state=ShadowState.ROLLED_BACK, faults=[*back.faults, *faults], runs=True)
        else:
            self._report()

    def _interrupted(self, trial: Trial) -> None:
        """A clean stop: the next run tries it anew, from the start."""
        try:
            again = Trial(trial.revision, trial.document, "staged")
            self._write(structs.replace(self._state, trial=again))
        except BookError as error:
            LOG.error("settings: %s", error)

    def _decline(self, trial: Trial, faults: Sequence[Fault]) -> None:
        """Take nothing in: the revision may come again, with the next line or after the next start."""
        self._say("settings_refused", trial.revision, faults)
        self._report(now=trial, state=ShadowState.REFUSED, faults=faults)

    def _settle(self, state: State) -> None:
        """Write down what became of a trial; where that fails, the file still says that it is no good."""
        try:
            self._write(state)
        except BookError as error:
            LOG.error("settings: %s", error)
            self._state = state

    def _judged(
        self,
        trial: Trial,
        verdict: ShadowState,
        faults: Sequence[Fault] = (),
        *,
        running: Kept | None = None,
    ) -> State:
        return State(
            seen=trial.revision,
            taken=document_hash(trial.document),
            verdict=verdict,
            faults=[_told(fault) for fault in faults[:FAULTS_MAX]],
            since_ms=self._given.utc_ms(),
            running=running or self._state.running,
        )

    def _write(self, state: State) -> None:
        self._given.book.write(state)
        self._state = state

    # --- what is said of it --------------------------------------------------------------------------

    def _say(self, kind: str, revision: Revision, faults: Sequence[Fault]) -> None:
        for fault in faults:
            LOG.error("settings: revision %s: %s", _word(revision), fault)
        first = str(faults[0])[:200] if faults else ""
        self._given.tell(kind, {"revision": _word(revision), "faults": len(faults), "first": first})

    def _running(self) -> Revision:
        running = self._state.running
        return running.revision if running is not None and self._own else OWN_FILE

    def _report(
        self,
        *,
        now: Trial | None = None,
        state: ShadowState | None = None,
        faults: Sequence[Fault] = (),
        runs: bool = False,
    ) -> None:
        """Tell the hub what runs and what became of the newest revision; of `now`, that it is in `state`."""
        kept = self._state
        trying = now is not None and (runs or state is ShadowState.TRYING)
        running = now.revision if now is not None and trying else self._running()
        document = now.document if now is not None and trying else self._document()
        digest = document_hash(document or "")
        if document is not None and len(document.encode()) > DOCUMENT_BYTES_MAX:
            document = None
        aside = self._aside if kept.seen != OWN_FILE and not self._own and now is None else ()
        told = [_told(fault) for fault in [*aside, *faults]]
        self._given.report(
            Reported(
                gateway=self._given.gateway,
                revision=kept.seen if now is None else now.revision,
                taken=kept.taken if now is None else document_hash(now.document),
                state=state or (ShadowState.REFUSED if aside else kept.verdict),
                running=running,
                hash=digest,
                document=document,
                faults=[*told, *(kept.faults if now is None else ())][:FAULTS_MAX],
                since_ms=kept.since_ms if now is None else self._given.utc_ms(),
            )
        )

    def _document(self) -> str | None:
        running = self._state.running
        return running.document if running is not None and self._own else self._text


async def _for_ever() -> None:
    """Wait until the gateway has stopped."""
    await asyncio.get_running_loop().create_future()


def _full(error: BookError) -> Fault:
    return Fault("disk", str(error), "a disk that can be written")


def _told(fault: Fault) -> SettingsFault:
    return SettingsFault(as_text(fault.path), as_text(shorten(fault.value)), as_text(fault.expectation))


def _word(revision: Revision) -> str:
    """Return a revision as it is told: `7`, and `7 (1)` after the hub was restored once."""
    return f"{revision.number} ({revision.incarnation})" if revision.incarnation else str(revision.number)
