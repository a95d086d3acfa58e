"""What the pages of gateways show, made from what is stored; reads and writes nothing."""

from base64 import b64encode
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import segno
from cryptography import x509

from cloud.gateway_acts import ActRefusedError, Made, next_name
from cloud.store.fleet import ClaimSite, FleetRow, Steps
from cloud.web.figures import milliseconds
from cloud.web.gateway_words import ENDING, ENROLLED, FLEET, HEARD, PROFILES, REFUSALS, STORED
from cloud.web.language import Language
from cloud.web.overview import State
from cloud.web.reasons import Said
from provisioning.claim import claim_uri, write_claim
from provisioning.ends import End

_ID_MAX = 63


@dataclass(frozen=True, slots=True)
class GatewayLine:
    """One gateway in the list, and on top of its own page."""

    name: str
    site: str
    site_id: int | None
    state: State
    claim_until_ms: int | None
    certificate_until_ms: int | None
    asked_ms: int | None
    """Since when it waits for approval."""
    last_batch_ms: int | None
    replaces: str
    word: str
    """Of its state, as `FleetRow.state` says it."""
    revoked_ms: int | None
    connected: bool
    """Whether it is connected to the broker now."""
    by_hand: bool
    """Whether it proved a key, and nothing is stored here of when a certificate was issued to it."""
    manage: bool
    """Whether who asks may approve, revoke and replace it."""


@dataclass(frozen=True, slots=True)
class EndingLine:
    """A certificate of the hub that ends soon, and that a person has to renew."""

    what: str
    name: str
    day: str
    """In UTC, as certificates have it."""
    then: str
    """What to do, in English: it is commands."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a new gateway."""

    word: str
    at_ms: int | None
    """None: not yet."""


@dataclass(frozen=True, slots=True)
class ShownClaim:
    """A claim that was just made, as it is shown this once."""

    gateway: str
    code: str
    hub: str
    until_ms: int
    qr: str
    """The QR code as SVG."""
    uri: str
    file: str
    """The claim file as a data URI."""
    profile: str


def line(row: FleetRow, now: datetime, *, manage: bool, language: Language) -> GatewayLine:
    """Return a gateway as shown."""
    word = row.state(now)
    kind, said = FLEET[word]
    return GatewayLine(
        name=row.name,
        site=row.site or "",
        site_id=row.site_id,
        state=State(f"fleet-{row.name}", kind, language.say(said)),
        claim_until_ms=_ms(row.claim_until),
        certificate_until_ms=_ms(row.certificate_until or _proved_until(row)),
        asked_ms=_ms(row.recovery_asked_at),
        last_batch_ms=_ms(row.last_batch_at),
        replaces=row.replaces or "",
        word=word,
        revoked_ms=_ms(row.revoked_at),
        connected=row.online,
        by_hand=row.certificate_until is None and row.keys > 0,
        manage=manage,
    )


def _proved_until(row: FleetRow) -> datetime | None:
    """Return the end of a certificate that was issued by hand, as its gateway showed it."""
    try:
        return x509.load_pem_x509_certificate((row.proved_pem or "").encode()).not_valid_after_utc
    except ValueError:
        return None


def ending_lines(ending: Iterable[End], language: Language) -> list[EndingLine]:
    """Return what ends soon as shown, in the same order."""
    return [
        EndingLine(language.say(ENDING[one.kind]), one.name, f"{one.at:%Y-%m-%d}", one.then) for one in ending
    ]


def in_order(lines: Iterable[GatewayLine]) -> list[GatewayLine]:
    """Return gateways that need a person first, revoked ones last."""
    return sorted(lines, key=lambda one: (list(FLEET).index(one.word), one.name))


def steps_of(steps: Steps, language: Language) -> list[Step]:
    """Return the way of a new gateway, from its certificate to its first reading."""
    return [
        Step(language.say(ENROLLED), _ms(steps.enrolled_at or steps.heard_at)),
        Step(language.say(HEARD), _ms(steps.heard_at)),
        Step(language.say(STORED), _ms(steps.stored_at)),
    ]


def shown_claim(made: Made, kind: str) -> ShownClaim:
    """Return a claim as shown; `kind` is that of its site."""
    claim = made.claim
    uri = claim_uri(claim)
    code = segno.make(uri, error="m", micro=False)
    file = b64encode(write_claim(claim)).decode()
    return ShownClaim(
        gateway=claim.gateway,
        code=claim.code,
        hub=claim.url,
        until_ms=milliseconds(made.expires_at),
        qr=code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff"),
        uri=uri,
        file=f"data:application/octet-stream;base64,{file}",
        profile=PROFILES.get(kind, "laboratory"),
    )


def proposals(sites: Iterable[ClaimSite], taken: Collection[str]) -> dict[int, str]:
    """Return an id for a new gateway of each site that none of these gateways has."""
    return {site.id: _free(site.name, taken) for site in sites}


def replacement_id(name: str, taken: Collection[str]) -> str:
    """Return the usual id of who stands in, or the next one that is free."""
    found = next_name(name)
    while found in taken:
        found = next_name(found)
    return found


def _free(site: str, taken: Collection[str]) -> str:
    stem = site[: _ID_MAX - 7]
    found, number = f"{stem}-gw", 1
    while found in taken:
        number += 1
        found = f"{stem}-gw{number}"
    return found


def refusal(error: ActRefusedError, language: Language) -> Said:
    """Return in the page's language why nothing was done; what has no words there stays English."""
    if error.word in REFUSALS:
        return Said(language.say(REFUSALS[error.word]))
    return Said(str(error), "" if language.code == "en" else "en")


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds(moment)
