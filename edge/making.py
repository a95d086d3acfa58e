"""Makes the parts of a gateway out of its settings and of what the machine gives; it runs none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge.control.given import Given as ControlGiven
from edge.control.members import make_members
from edge.control.outputs import Outputs
from edge.control.rests import Rests
from edge.control.room import Control
from edge.crew import Crew
from edge.driver import Driver
from edge.journal.file import Surroundings
from edge.journal.journal import Journal, Past
from edge.journal.room import Limits
from edge.journal.sealer import Sealer
from edge.local.desk import Desk
from edge.local.server import Local
from edge.media.channel import MediaChannel, MediaGiven
from edge.recorder import Recorder
from edge.renewal import EstDesk, Renewal
from edge.renewal import Given as RenewalGiven
from edge.shadow.keeper import Wishes
from edge.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, Backoff, Supervisor
from edge.tap import Seen, Tap
from edge.timekeeper import Timekeeper
from edge.uplink import Given as UplinkGiven
from edge.uplink import Uplink
from edge.wakes import Wakes
from edge.world import World, software
from provisioning.identity import GatewayIdentity
from wire.settings.gateway import GatewaySettings
from wire.settings.media import MediaSection

DAY_S = 86400.0
_DOUBT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Making:
    """What the parts of one gateway are made of."""

    settings: GatewaySettings
    identity: GatewayIdentity
    world: World
    data: Path
    timekeeper: Timekeeper
    wakes: Wakes
    crew: Crew

    def journal(self) -> Journal:
        """Return the journal; open it as a context."""
        settings = self.settings.journal
        given = Surroundings(
            sealer=Sealer(self.settings.gateway.id, self.identity.signer),
            random_id=self.world.random_id,
            utc_s=self.timekeeper.utc_s,
            limits=Limits(settings.bytes_max, settings.age_max_d * DAY_S),
        )
        return Journal(
            self.data,
            given,
            boot=self.world.boot,
            clock=self.timekeeper.reading,
            now=self.world.now,
            memory_bytes_max=settings.memory_bytes_max,
            pace=self.crew.pace,
        )

    def recorder(self, journal: Journal, look: Callable[[Seen], None]) -> Recorder:
        """Return the recorder; `look` is shown what it accepts."""
        return Recorder(
            journal,
            self.timekeeper,
            gateway=self.settings.gateway.id,
            boot=self.world.boot,
            now_tick=self.world.now_tick,
            points=self.crew.points,
            layouts=self.crew.layouts,
            late=self.crew.late,
            look=look,
            doubt_ms=self.wakes.doubt_ms,
        )

    def control(self, journal: Journal, recorder: Recorder, outputs: Outputs, *, past: Past) -> Control:
        """Return everything that decides and acts on site."""
        given = ControlGiven(
            settings=self.settings,
            boot=self.world.boot,
            folder=self.data,
            outputs=outputs,
            drivers=lambda: self.crew.drivers,
            points=lambda: self.crew.points,
            layouts=lambda: self.crew.layouts,
            tell=lambda kind, data, subject: recorder.tell(kind, data, subject=subject),
            remember=recorder.remember,
            recall=recorder.recall,
            settle=journal.commit,
            now_tick=self.world.now_tick,
            utc_ms=self.utc_ms,
            taken_at=lambda: journal.taken_at,
            kept_whole=past.boot is not None and past.damage is None,
        )
        return Control(given, make_members)

    def uplink(self, journal: Journal, recorder: Recorder, control: Control, *, wishes: Wishes) -> Uplink:
        """Return the line to the hub."""
        settings = self.settings.uplink
        given = UplinkGiven(
            settings=settings,
            identity=self.identity,
            boot=self.world.boot,
            software=software(),
            now=self.world.now,
            random_id=self.world.random_id,
            judge_dates=self.judge_dates,
            carried=self.crew.carried,
            desired=wishes.put,
            control=control.line,
        )
        return Uplink(
            given,
            journal=journal,
            recorder=recorder,
            timekeeper=self.timekeeper,
            backoff=self.backoff(settings.reconnect_s, settings.reconnect_max_s),
        )

    def media(self, settings: MediaSection, recorder: Recorder) -> MediaChannel:
        """Return what carries pictures."""
        given = MediaGiven(
            settings=settings,
            identity=self.identity,
            drivers=lambda: self.crew.drivers,
            tell=recorder.tell,
            now=self.world.now,
            judge_dates=self.judge_dates,
            backoff=self.backoff,
        )
        return MediaChannel(given)

    def renewal(self, recorder: Recorder, uplink: Uplink) -> Renewal:
        """Return what renews the gateway's certificate."""
        given = RenewalGiven(
            folder=self.identity.folder,
            identity=self.identity,
            line=uplink,
            tell=recorder.tell,
            utc_s=self.timekeeper.utc_s,
            now=self.world.now,
            random=self.world.random,
            desk=EstDesk(),
        )
        return Renewal(given)

    def outputs(self, journal: Journal, recorder: Recorder, past: Past) -> Outputs:
        """Return the owner of all outputs."""
        return Outputs(
            self.crew.drivers,
            tell=lambda kind, data, subject: recorder.tell(kind, data, subject=subject),
            now=self.world.now,
            settle=journal.commit,
            rests=Rests(
                remember=recorder.remember,
                recall=recorder.recall,
                whole=past.boot is not None and past.damage is None,
                boot=self.world.boot,
                now=self.world.now,
            ),
        )

    def local(self, journal: Journal, outputs: Outputs, tap: Tap) -> Local:
        """Return the local socket."""
        desk = Desk(drivers=lambda: self.crew.drivers, outputs=outputs, tap=tap, settle=journal.commit)
        return Local(self.data, desk.answer)

    def utc_ms(self) -> int | None:
        """Return UTC while it is known, in milliseconds."""
        utc_s = self.timekeeper.utc_s()
        return None if utc_s is None else max(0, int(utc_s * 1000))

    def judge_dates(self) -> bool:
        """Certificates are judged by the system's clock: only where it agrees with what is known of time."""
        utc_s = self.timekeeper.utc_s()
        return utc_s is not None and abs(self.world.real_ns() / 1e9 - utc_s) < _DOUBT_S

    def supervisor(self, driver: Driver, recorder: Recorder) -> Supervisor:
        """Return what keeps one driver running."""
        backoff = self.backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        return Supervisor(driver, recorder, backoff=backoff, now=self.world.now, now_tick=self.world.now_tick)

    def backoff(self, first_s: float, longest_s: float) -> Backoff:
        """Return how long to wait before the next attempt."""
        return Backoff(first_s, longest_s, random=self.world.random)
