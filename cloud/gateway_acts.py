"""What a person does to gateways: claim, approve, revoke, replace.

Each act is one transaction with its audit row. Command line, API and pages call these functions; who may do
what was judged before. Nothing here speaks to a gateway or a broker: the EST listener and the keeper of
revocations act on what is written.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cloud.store import audit_log, certificates, claims, directory, fleet, sites_write
from cloud.store.audit_log import Entry
from cloud.store.certificates import Certificate
from cloud.store.claims import NewClaim
from cloud.store.connection import Connection
from cloud.store.fleet import FleetRow
from cloud.store.sites_write import SiteConflictError
from provisioning import certificates as x509
from provisioning.claim import Claim, hash_code, new_code
from provisioning.errors import IdentityError
from wire.errors import TopicError
from wire.topics import check_gateway_id

CLAIM_HOURS = 72
CLAIM_HOURS_MAX = 30 * 24
_SUFFIX = "0123456789abcdefghjkmnpqrstvwxyz"


class ActRefusedError(Exception):
    """An act makes no sense as things stand; the text says what was expected."""

    def __init__(self, text: str, word: str = "") -> None:
        """`word` tells refusals apart, for pages that say them in other languages."""
        super().__init__(text)
        self.word = word


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as in the audit log."""

    kind: str
    name: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """A claim that is asked for."""

    site: str
    gateway: str | None = None
    """A name is made from the site's when it is left out."""
    organisation_id: int | None = None
    """Needed where two organisations have a site of this name."""
    hours: int = CLAIM_HOURS


@dataclass(frozen=True, slots=True)
class Made:
    """A claim that was made, with its code, which is shown here and never again."""

    claim: Claim
    expires_at: datetime


async def make_claim(connection: Connection, actor: Actor, wish: Wish, *, now: datetime) -> Made:
    """Register a gateway at a site and make its claim; one that was made before and not used is void then."""
    _check_hours(wish.hours)
    async with connection.transaction():
        await directory.change(connection)
        site_id, organisation_id = await _site(connection, wish)
        name = _checked_name(wish.gateway or _made_name(wish.site))
        found = await fleet.hold(connection, name, now)
        if found is not None:
            _check_unused(found)
            await _check_place(connection, found, (site_id, wish.site), now)
        try:
            row = await sites_write.gateway(connection, organisation_id, name)
            if found is None or found.replaces is None:
                await sites_write.bind(connection, row, site_id, None)
        except SiteConflictError as error:
            raise ActRefusedError(str(error), "taken") from None
        made = await _claim(
            connection, actor, row.id, name=name, site=(site_id, organisation_id), wish=wish, now=now
        )
        what = {"site": wish.site, "expires_at": made.expires_at.isoformat()}
        await _note(connection, actor, _entry("gateway.claim", name, organisation_id, new=what), now)
    return made


async def approve(connection: Connection, actor: Actor, gateway: str, *, now: datetime) -> None:
    """Let a gateway that was away for long have a certificate when it asks again."""
    async with connection.transaction():
        found = await _existing(connection, gateway, now)
        if found.revoked_at is not None:
            raise ActRefusedError(f"gateway {gateway} is revoked, and stays so; replace it", "revoked")
        if not await certificates.approve(connection, found.id, by=actor.name, at=now):
            raise ActRefusedError(
                f"gateway {gateway} has asked for nothing that could be approved", "approved"
            )
        await _note(connection, actor, _entry("gateway.approve", gateway, found.organisation_id), now)


async def revoke(connection: Connection, actor: Actor, gateway: str, *, why: str, now: datetime) -> int:
    """Refuse all keys and certificates of a gateway, for ever; return how many certificates it had.

    Ingest refuses its keys as soon as this is committed and seen there, a second at the latest.
    """
    if not why.strip():
        raise ActRefusedError("a revocation needs a reason", "why")
    async with connection.transaction():
        await directory.change(connection)
        found = await _existing(connection, gateway, now)
        if found.revoked_at is not None:
            raise ActRefusedError(f"gateway {gateway} is revoked already", "revoked")
        await _keep_known(connection, found, now)
        number = await certificates.revoke(connection, found.id, now)
        await claims.withdraw(connection, found.id, now)
        await certificates.close_recovery(connection, found.id, now)
        entry = _entry(
            "gateway.revoke", gateway, found.organisation_id, new={"certificates": number}, why=why
        )
        await _note(connection, actor, entry, now)
    return number


@dataclass(frozen=True, slots=True)
class Replacement:
    """Another gateway stands in for one that is broken."""

    old: str
    new: str | None = None
    why: str = ""
    hours: int = CLAIM_HOURS


async def replace(connection: Connection, actor: Actor, wish: Replacement, *, now: datetime) -> Made:
    """Make the claim of a gateway that stands in for another one.

    The new one has a name and keys of its own. When it is enrolled it serves, from that moment on, what the
    old one served; points, settings and history stay where they are. What the old one measured before, and
    still delivers, is its own evidence.
    """
    _check_hours(wish.hours)
    async with connection.transaction():
        await directory.change(connection)
        old = await _existing(connection, wish.old, now)
        if old.site is None:
            raise ActRefusedError(f"gateway {wish.old} serves no site that could be taken over", "no-site")
        name = _checked_name(wish.new or next_name(wish.old))
        new_id = await _stand_in(connection, old, name, now=now)
        site = await _site(connection, Wish(old.site, organisation_id=old.organisation_id))
        asked = Wish(old.site, name, old.organisation_id, wish.hours)
        made = await _claim(connection, actor, new_id, name=name, site=site, wish=asked, now=now)
        entry = _entry("gateway.replace", wish.old, old.organisation_id, new={"by": name}, why=wish.why)
        await _note(connection, actor, entry, now)
    return made


async def _stand_in(connection: Connection, old: FleetRow, name: str, *, now: datetime) -> int:
    found = await fleet.find(connection, name, now)
    if found is not None:
        if found.replaces != old.name:
            raise ActRefusedError(
                f"gateway {name} exists already, and does not stand in for {old.name}", "taken"
            )
        _check_unused(found)
        return found.id
    made = await fleet.register_replacement(
        connection, organisation_id=old.organisation_id, name=name, replaces_id=old.id
    )
    if made is None:
        raise ActRefusedError(f"gateway {old.name} is replaced already", "replaced")
    return made


def next_name(name: str) -> str:
    """Return the usual name of who stands in: `lab-1` is followed by `lab-1-r2`, that by `lab-1-r3`."""
    stem, mark, number = name.rpartition("-r")
    if mark and number.isascii() and number.isdigit() and len(number) < 4:
        return f"{stem}-r{int(number) + 1}"
    return f"{name[:59]}-r2"


async def _claim(
    connection: Connection,
    actor: Actor,
    gateway_id: int,
    *,
    name: str,
    site: tuple[int, int],
    wish: Wish,
    now: datetime,
) -> Made:
    listener = await claims.listener(connection)
    if listener is None:
        raise ActRefusedError(
            "no EST listener has run with this database yet: start the hub with HENG_ENROL_CA first",
            "no-listener",
        )
    code = new_code()
    kept = hash_code(code)
    expires_at = now + timedelta(hours=wish.hours)
    claim = NewClaim(site[1], site[0], gateway_id, kept.salt, kept.digest, actor.name, now, expires_at)
    await claims.add(connection, claim)
    return Made(
        Claim(url=listener.url, ca_sha256=listener.ca_sha256.hex(), gateway=name, code=code), expires_at
    )


async def _keep_known(connection: Connection, gateway: FleetRow, now: datetime) -> None:
    """Keep certificates that were issued into a folder and shown by the gateway, so that they are listed."""
    for pem in await certificates.known_pems(connection, gateway.id):
        try:
            leaf = x509.from_pem(pem.encode())[0]
            key_sha256 = x509.spki_sha256(leaf)
        except IdentityError:
            continue
        one = Certificate(
            serial=x509.serial_text(leaf),
            organisation_id=gateway.organisation_id,
            gateway_id=gateway.id,
            key_sha256=key_sha256,
            certificate_pem=pem,
            not_before=leaf.not_valid_before_utc,
            not_after=leaf.not_valid_after_utc,
            way="folder",
            claim_id=None,
            issued_at=now,
        )
        await certificates.add(connection, one)


async def _site(connection: Connection, wish: Wish) -> tuple[int, int]:
    found: Sequence[tuple[int, int]] = [
        one
        for one in await fleet.site_ids(connection, wish.site)
        if wish.organisation_id is None or one[1] == wish.organisation_id
    ]
    if not found:
        raise ActRefusedError(f"site {wish.site[:80]!r}: expected the name of a site")
    if len(found) > 1:
        raise ActRefusedError(f"site {wish.site}: several organisations have one; say which organisation")
    return found[0]


async def _existing(connection: Connection, name: str, now: datetime) -> FleetRow:
    found = await fleet.hold(connection, name, now)
    if found is None:
        raise ActRefusedError(f"gateway {name[:80]!r}: expected the id of a gateway")
    return found


def _check_unused(found: FleetRow) -> None:
    if found.revoked_at is not None:
        raise ActRefusedError(f"gateway {found.name} is revoked, and stays so; replace it", "revoked")
    if found.certificate_until is not None or found.keys:
        raise ActRefusedError(
            f"gateway {found.name} is enrolled already; a new machine in its place is a replacement",
            "enrolled",
        )


async def _check_place(connection: Connection, found: FleetRow, site: tuple[int, str], now: datetime) -> None:
    """Who stands in for another gateway takes over what that one serves, whatever a claim says."""
    old = await fleet.find(connection, found.replaces, now) if found.replaces else None
    if old is not None and old.site_id != site[0]:
        raise ActRefusedError(
            f"gateway {found.name} stands in for {old.name} at site {old.site}: expected that site", "taken"
        )


def _checked_name(name: str) -> str:
    try:
        return check_gateway_id(name)
    except TopicError as error:
        raise ActRefusedError(str(error), "id") from None


def _check_hours(hours: int) -> None:
    if not 1 <= hours <= CLAIM_HOURS_MAX:
        raise ActRefusedError(f"hours {hours}: expected 1 to {CLAIM_HOURS_MAX}", "hours")


def _made_name(site: str) -> str:
    return f"{site[:58]}-{''.join(secrets.choice(_SUFFIX) for _ in range(4))}"


@dataclass(frozen=True, slots=True)
class _Act:
    action: str
    gateway: str
    organisation_id: int | None
    new: object
    why: str


def _entry(
    action: str, gateway: str, organisation_id: int | None, *, new: object = None, why: str = ""
) -> _Act:
    return _Act(action, gateway, organisation_id, new, why)


async def _note(connection: Connection, actor: Actor, act: _Act, now: datetime) -> None:
    entry = Entry(
        actor_kind=actor.kind,
        actor=actor.name,
        action=act.action,
        object=f"gateway {act.gateway}",
        organisation_id=act.organisation_id,
        new=act.new,
        why=act.why,
        origin=actor.origin,
    )
    await audit_log.append(connection, [entry], at=now)
