"""Keeps the gateway's certificate and the hub's keys current while everything else runs.

It asks the hub's EST listener now and then, and sooner when the uplink does not come through: the certificate
may have ended, or the hub may sign with a key that is not known here. A new certificate is one file in the
place of another; the uplink connects again with it, and the journal sends what was in flight. Time is the
gateway's own if it has one, else the hub's, which is good enough for dates.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from provisioning import certificates, enrolment
from provisioning.ends import LEAF_WARNING
from provisioning.errors import EnrolmentError, ProvisioningError
from provisioning.est import HubFacts
from provisioning.identity import GatewayIdentity
from wire.messages import Scalar, as_text

LOG = logging.getLogger(__name__)
LOOK_S = 10.0
OFTEN_S = 6 * 3600.0
"""How often the hub is asked when nothing is wrong."""
FIRST_S = 60.0
"""A gateway that has just started leaves its line so long to come up."""
CUT_OFF_S = 120.0
"""Without a line for so long, the reason may be the certificate."""
WAIT_FIRST_S = 300.0
WAIT_LONGEST_S = 3600.0
WARN_AGAIN_S = 7 * 86400.0

Tell = Callable[[str, Mapping[str, Scalar]], None]


class Line(Protocol):
    """What the uplink tells and takes."""

    @property
    def connected(self) -> bool:
        """Whether there is a line to the broker."""

    @property
    def unknown_key(self) -> bool:
        """Whether something came that is signed by a key of the hub that is not known."""

    def take_identity(self, identity: GatewayIdentity) -> None:
        """Go on with this identity."""


class Desk(Protocol):
    """The far end; both block and raise `ProvisioningError`."""

    def ask_hub(self, folder: Path) -> HubFacts:
        """Ask what the hub says of itself, and keep new keys of it."""

    def renew(self, folder: Path) -> GatewayIdentity:
        """Get the next certificate and put it into place."""


class EstDesk:
    """The hub's EST listener."""

    def ask_hub(self, folder: Path) -> HubFacts:
        """Ask it."""
        return enrolment.ask_hub(folder)

    def renew(self, folder: Path) -> GatewayIdentity:
        """Ask it for a certificate."""
        return enrolment.renew(folder)


@dataclass(frozen=True, slots=True)
class Given:
    """What renewal works with."""

    folder: Path
    """Of the identity."""
    identity: GatewayIdentity
    """As the line has it."""
    line: Line
    tell: Tell
    utc_s: Callable[[], float | None]
    """The time, None while it is not known."""
    now: Callable[[], float]
    """Monotonic seconds."""
    random: Callable[[], float]
    desk: Desk


class Renewal:
    """One gateway's."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._identity = given.identity
        self._connected_at = given.now()
        self._due_at = self._not_before = given.now() + FIRST_S * (1 + given.random())
        self._wait_s = WAIT_FIRST_S
        self._said = ""
        self._warn_at = given.now()

    async def run(self) -> None:
        """Look every now and then until cancelled; an identity made by hand has nobody to ask."""
        asks = (self._given.folder / enrolment.HUB_FILE).exists()
        while True:
            await asyncio.sleep(LOOK_S)
            if asks:
                await self.look()
            else:
                self.warn()

    def warn(self) -> None:
        """Tell once a week that a certificate ends which nobody renews."""
        now, utc_s = self._given.now(), self._given.utc_s()
        certificate = certificates.from_pem(self._identity.certificate_pem.encode())[0]
        until = certificate.not_valid_after_utc
        if utc_s is None or now < self._warn_at or until - datetime.fromtimestamp(utc_s, UTC) > LEAF_WARNING:
            return
        self._warn_at = now + WARN_AGAIN_S
        LOG.warning("certificate: ends on %s, and nobody renews it: this gateway needs a new identity", until)
        self._given.tell("certificate_ending", {"valid_until": until.isoformat()})

    async def look(self) -> bool:
        """Ask the hub if it is time to; return whether it was."""
        now = self._given.now()
        if self._given.line.connected:
            self._connected_at = now
        urgent = self._given.line.unknown_key or now - self._connected_at >= CUT_OFF_S
        if now < self._not_before or not (urgent or now >= self._due_at):
            return False
        try:
            await self._ask()
        except EnrolmentError as error:
            self._failed(error, again=error.again, wait_s=error.wait_s)
        except ProvisioningError as error:
            self._failed(error, again=False, wait_s=0.0)
        else:
            self._said = ""
            self._wait_s = WAIT_FIRST_S
            self._due_at = self._given.now() + self._jittered(OFTEN_S)
            self._not_before = self._given.now() + self._jittered(WAIT_FIRST_S)
        return True

    async def _ask(self) -> None:
        folder, desk = self._given.folder, self._given.desk
        facts = await asyncio.to_thread(desk.ask_hub, folder)
        if enrolment.is_due(enrolment.certificate_of(folder), self._utc(facts)):
            after = await asyncio.to_thread(desk.renew, folder)
            until = enrolment.certificate_of(folder).not_valid_after_utc
            LOG.info("certificate: renewed until %s", until)
            self._given.tell("certificate_renewed", {"valid_until": until.isoformat()})
        else:
            after = GatewayIdentity.load(folder)
        before, self._identity = self._identity, after
        added = after.hub_verifiers.keys() - before.hub_verifiers.keys()
        for key in added:
            self._given.tell("hub_key_added", {"key_id": key.hex()})
        if added or before.certificate_pem != after.certificate_pem:
            self._given.line.take_identity(after)

    def _utc(self, facts: HubFacts) -> datetime:
        own_s = self._given.utc_s()
        return datetime.fromtimestamp(facts.time_ms / 1000 if own_s is None else own_s, UTC)

    def _failed(self, error: ProvisioningError, *, again: bool, wait_s: float) -> None:
        """Tell once what is wrong, and come back: soon for an outage, seldom after a refusal."""
        said = as_text(str(error))
        if said != self._said:
            LOG.warning("certificate: %s", said)
            self._given.tell("certificate_refused", {"reason": said})
        self._said = said
        pause_s = max(wait_s, self._wait_s) if again else OFTEN_S
        self._wait_s = min(WAIT_LONGEST_S, self._wait_s * 2)
        self._not_before = self._given.now() + self._jittered(pause_s)

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + 0.25 * self._given.random())
