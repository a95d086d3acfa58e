"""Who gets a certificate: the rules of first enrolment, renewal and recovery, each in one transaction.

Time is the hub's own. A certificate that ended is judged here and not by TLS, so that a gateway that was away
for long comes back by a rule. It speaks no HTTP.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509

from cloud.enrol.throttle import Throttle
from cloud.store import audit_log, claims, directory, fleet
from cloud.store import certificates as kept
from cloud.store.audit_log import Entry
from cloud.store.certificates import Certificate, Recovery
from cloud.store.claims import ClaimRow
from cloud.store.connection import Connection
from cloud.store.fleet import FleetRow
from provisioning import certificates
from provisioning.ca import CertificateAuthority
from provisioning.certificates import CLOCK_SLACK, PublicKey

_DAY = timedelta(days=1)
_TOLD_AN_HOUR = 10
"""Refusals of one gateway that get rows of their own within an hour; the others are counted together."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a hub grants by itself."""

    certificate_days: int = 90
    recover_days: int = 500
    """So long after its certificate ended a gateway comes back without a person's word."""
    wrong_codes: int = 100
    """So many wrong codes make a claim void."""
    a_day: int = 20
    """Certificates that one gateway may get within a day."""
    wait_s: int = 600
    """When a gateway that needs approval is to ask again."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, new or the same again."""

    leaf: x509.Certificate
    again: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A person has to say yes first."""

    wait_s: int
    news: bool
    """Whether it was not known before that this gateway waits."""


@dataclass(frozen=True, slots=True)
class Denied:
    """No; `words` go to the gateway, `why` only to the audit log. `wrong` counts against the address.

    Without `why` it has no row of its own: it was refused before it came to the desk, or again and again.
    """

    status: int
    words: str
    why: str = ""
    wrong: bool = False


Verdict = Issued | Pending | Denied

_UNKNOWN = "gateway and claim code do not belong together"
"""The same words whatever was wrong: nothing to guess by."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what."""

    gateway: str
    key: PublicKey
    """It signed the request."""
    origin: str

    @property
    def key_sha256(self) -> bytes:
        """By which the key is kept."""
        return certificates.public_key_sha256(self.key)


class Desk:
    """Decides and issues."""

    def __init__(self, authority: CertificateAuthority, policy: Policy) -> None:
        self._authority = authority
        self._policy = policy
        self._told = Throttle(_TOLD_AN_HOUR, period_s=3600.0)

    async def enrol(
        self, connection: Connection, asked: Asked, *, right_code: bool, now: datetime
    ) -> Verdict:
        """Judge a first enrolment; `right_code` says whether the code is that of the gateway's claim."""
        async with connection.transaction():
            if right_code and await fleet.stands_in(connection, asked.gateway):
                await directory.change(connection)  # before any row is locked, as everywhere
            found = await fleet.hold(connection, asked.gateway, now)
            claim = await claims.hold(connection, asked.gateway)
            verdict = await self._enrol(connection, asked, claim, found=found, right_code=right_code, now=now)
            verdict = await self._noted(
                connection, "gateway.enrol", asked, verdict=verdict, found=found, now=now
            )
        if isinstance(verdict, Issued):  # not before it is committed: what was undone must burn no id
            await asyncio.to_thread(self._authority.note_issued, asked.gateway, verdict.leaf)
        return verdict

    async def _enrol(
        self,
        connection: Connection,
        asked: Asked,
        claim: ClaimRow | None,
        *,
        found: FleetRow | None,
        right_code: bool,
        now: datetime,
    ) -> Verdict:
        if claim is None:
            return Denied(401, _UNKNOWN, "no claim", wrong=True)
        if claim.wrong_codes >= self._policy.wrong_codes:
            return Denied(401, _UNKNOWN, "the claim is void after too many wrong codes", wrong=True)
        if not right_code:
            number = await claims.note_wrong_code(connection, claim.id)
            return Denied(401, _UNKNOWN, f"wrong code, the {number}. of this claim", wrong=True)
        if claim.used_at is not None:
            return await self._same_again(connection, asked, claim, now=now)
        if now >= claim.expires_at:
            return Denied(403, "the claim has expired; ask for a new one", "expired claim")
        if found is None or found.revoked_at is not None:
            return Denied(403, "the gateway is revoked", "revoked gateway")
        if self._authority.was_issued(asked.gateway, asked.key_sha256):
            return Denied(403, "the gateway id was issued before", "id issued before by `heng ca`")
        await claims.use(connection, claim.id, key_sha256=asked.key_sha256, at=now)
        await self._take_over(connection, found, now)
        return Issued(await self._issue(connection, asked, found, way="claim", claim_id=claim.id, now=now))

    async def _same_again(
        self, connection: Connection, asked: Asked, claim: ClaimRow, *, now: datetime
    ) -> Verdict:
        """An answer that was lost is given again, to the same key and for as long as the claim would last."""
        found = await kept.of_claim(connection, claim.id, asked.key_sha256)
        if found is None:
            return Denied(
                403, "the claim code was used before", "code used again with another key", wrong=True
            )
        if found.revoked_at is not None or now >= claim.expires_at:
            return Denied(403, "the claim code was used before", "code used again too late")
        return Issued(certificates.from_pem(found.certificate_pem.encode())[0], again=True)

    async def _take_over(self, connection: Connection, gateway: FleetRow, now: datetime) -> None:
        replaced = await fleet.replaced_id(connection, gateway.id)
        if replaced is not None:
            await fleet.hand_over(connection, old_id=replaced, new_id=gateway.id, at=now)

    async def renew(
        self, connection: Connection, asked: Asked, shown: x509.Certificate, *, now: datetime
    ) -> Verdict:
        """Judge a renewal, or a recovery when the certificate shown has ended; its chain was checked."""
        async with connection.transaction():
            action = "gateway.renew" if now <= shown.not_valid_after_utc else "gateway.recover"
            found = await fleet.hold(connection, asked.gateway, now)
            verdict = await self._renew(connection, asked, shown, found=found, now=now)
            return await self._noted(connection, action, asked, verdict=verdict, found=found, now=now)

    async def _renew(
        self,
        connection: Connection,
        asked: Asked,
        shown: x509.Certificate,
        *,
        found: FleetRow | None,
        now: datetime,
    ) -> Verdict:
        denied = await self._objection(connection, asked, shown, found=found, now=now)
        if denied is not None or found is None:
            return denied or Denied(403, "the gateway is unknown", "unknown gateway")
        if now <= shown.not_valid_after_utc:
            return Issued(await self._issue(connection, asked, found, way="renewal", claim_id=None, now=now))
        if now - shown.not_valid_after_utc > timedelta(days=self._policy.recover_days):
            request = Recovery(
                found.organisation_id,
                found.id,
                certificates.serial_text(shown),
                shown.not_valid_after_utc,
                asked.origin,
                now,
            )
            news, approved = await kept.ask_recovery(connection, request)
            if not approved:
                return Pending(self._policy.wait_s, news)
        await kept.close_recovery(connection, found.id, now)
        return Issued(await self._issue(connection, asked, found, way="recovery", claim_id=None, now=now))

    async def _objection(
        self,
        connection: Connection,
        asked: Asked,
        shown: x509.Certificate,
        *,
        found: FleetRow | None,
        now: datetime,
    ) -> Denied | None:
        if certificates.common_name(shown) != asked.gateway:
            return Denied(
                403, "the request names another gateway than the certificate", "foreign name", wrong=True
            )
        if found is None:
            return Denied(403, "the gateway is unknown", "unknown gateway", wrong=True)
        if found.revoked_at is not None:
            return Denied(403, "the gateway is revoked", "revoked gateway")
        known = await kept.find(connection, certificates.serial_text(shown))
        if known is not None and (known.revoked_at is not None or known.gateway_id != found.id):
            return Denied(403, "the certificate is revoked", "revoked certificate")
        if shown.not_valid_before_utc - CLOCK_SLACK > now:
            return Denied(403, "the certificate is not valid yet", "certificate of the future")
        if await kept.issued_since(connection, found.id, now - _DAY) >= self._policy.a_day:
            return Denied(429, "too many certificates within a day", "too many within a day")
        return None

    async def _issue(
        self,
        connection: Connection,
        asked: Asked,
        gateway: FleetRow,
        *,
        way: str,
        claim_id: int | None,
        now: datetime,
    ) -> x509.Certificate:
        leaf = self._authority.sign_gateway(
            asked.gateway, asked.key, now=now, days=self._policy.certificate_days
        )
        one = Certificate(
            serial=certificates.serial_text(leaf),
            organisation_id=gateway.organisation_id,
            gateway_id=gateway.id,
            key_sha256=asked.key_sha256,
            certificate_pem=certificates.to_pem([leaf]).decode(),
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            way=way,
            claim_id=claim_id,
            issued_at=now,
        )
        await kept.add(connection, one)
        return leaf

    async def _noted(
        self,
        connection: Connection,
        action: str,
        asked: Asked,
        *,
        verdict: Verdict,
        found: FleetRow | None,
        now: datetime,
    ) -> Verdict:
        """Write a verdict into the audit log; one that is the same again and again only so often.

        Ids that nobody has share one allowance, so that inventing them gains nothing.
        """
        if isinstance(verdict, Pending) and not verdict.news:
            return verdict
        if isinstance(verdict, Denied) or (isinstance(verdict, Issued) and verdict.again):
            name, now_s = asked.gateway if found is not None else "", now.timestamp()
            if not self._told.is_open(name, now_s):
                return replace(verdict, why="") if isinstance(verdict, Denied) else verdict
            self._told.wrong(name, now_s)
        entry = Entry(
            actor_kind="gateway" if found is not None and not isinstance(verdict, Denied) else "nobody",
            actor=asked.gateway,
            action=action,
            object=f"gateway {asked.gateway}",
            outcome="refused" if isinstance(verdict, Denied) else "done",
            organisation_id=None if found is None else found.organisation_id,
            new=_told_of(verdict),
            why=verdict.why if isinstance(verdict, Denied) else "",
            origin=asked.origin,
        )
        await audit_log.append(connection, [entry], at=now)
        return verdict


def _told_of(verdict: Verdict) -> object:
    if isinstance(verdict, Issued):
        return {
            "serial": certificates.serial_text(verdict.leaf),
            "not_after": verdict.leaf.not_valid_after_utc.isoformat(),
        }
    return {"waits": "approval"} if isinstance(verdict, Pending) else None
