"""EST over HTTP: which path asks what, and what is answered (RFC 7030, RFC 8951).

Whom to trust is decided at the desk.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

import msgspec
import psycopg
from cryptography import x509

from cloud.enrol.desk import Asked, Denied, Desk, Issued, Pending, Verdict
from cloud.enrol.throttle import Throttle
from cloud.https_exchange import Reply, Request, plain
from cloud.store import claims
from cloud.store.connection import Connection
from provisioning import certificates, est
from provisioning.ca import CertificateAuthority
from provisioning.claim import CodeHash, is_code
from provisioning.errors import IdentityError, RequestError
from provisioning.est import HubFacts
from provisioning.hub_keys import HubKeys
from wire.errors import TopicError
from wire.topics import check_gateway_id

_log = logging.getLogger(__name__)
_REALM = {"WWW_Authenticate": 'Basic realm="heng claim", charset="UTF-8"'}
_NOBODY = CodeHash(bytes(16), bytes(32))
"""What the code of an unknown gateway is compared with, so that it takes as long."""
_CODES_AT_ONCE = 2
"""Comparing a code takes 8 MiB and a processor for a while."""

Connect = Callable[[], AbstractAsyncContextManager[Connection]]


@dataclass(frozen=True, slots=True)
class Office:
    """What the listener is given."""

    authority: CertificateAuthority
    desk: Desk
    connect: Connect
    """Lends a database connection."""
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    refused: Callable[[str, str], None]
    """Told (address, reason) of what never came to the desk, which writes its own refusals down."""
    broker: str
    """`mqtts://host:port` of the gateways' listener."""


class Routes:
    """Handles the requests of one listener."""

    def __init__(self, office: Office, throttle: Throttle) -> None:
        self._office = office
        self._throttle = throttle
        self._codes = asyncio.Semaphore(_CODES_AT_ONCE)
        self._authorities = est.certificates_only(office.authority.chain)

    async def handle(self, request: Request) -> Reply:
        """Answer one request; an outage of the database or of the authority's folder is told as such."""
        body = await request.whole(est.REQUEST_BYTES_MAX)
        path = request.path
        wanted = _METHODS.get(path)
        if wanted is None:
            return plain(404)
        if request.method != wanted:
            return plain(405, Allow=wanted)
        try:
            if path == est.CA_CERTIFICATES:
                return _certificates(self._authorities, est.CERTIFICATES_TYPE)
            if path == est.HUB:
                return self._hub()
            return await self._certificate(request, path, body)
        except psycopg.OperationalError:
            return plain(503, "the hub has no database at the moment", Retry_After="10")
        except (IdentityError, psycopg.Error) as error:
            _log.error("enrolment: a request from %s failed: %s", request.peer.address, error)
            return plain(503, "the hub cannot issue at the moment", Retry_After="60")

    def _hub(self) -> Reply:
        authority = self._office.authority
        keys = HubKeys.load(authority.folder, authority.signer)
        facts = HubFacts(
            broker=self._office.broker,
            hub_keys=list(keys.keys),
            statements=list(keys.statements),
            time_ms=int(self._office.now().timestamp() * 1000),
        )
        return Reply(200, msgspec.json.encode(facts), "application/json")

    async def _certificate(self, request: Request, path: str, body: bytes) -> Reply:
        now_s = self._office.monotonic()
        if not self._throttle.is_open(request.peer.address, now_s):
            self._office.refused(request.peer.address, "too many wrong tries")
            return plain(429, "too many wrong tries", Retry_After="60")
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != est.REQUEST_TYPE:
            return plain(415, f"content-type: expected {est.REQUEST_TYPE}")
        try:
            gateway, key = est.read_request(est.from_base64(body))
            check_gateway_id(gateway)
        except (RequestError, TopicError) as error:
            self._throttle.wrong(request.peer.address, now_s)
            self._office.refused(request.peer.address, str(error))
            return plain(400, str(error))
        asked = Asked(gateway, key, request.peer.address)
        verdict = await (
            self._enrol(request, asked) if path == est.ENROL else self._renew(request.peer.certificate, asked)
        )
        if isinstance(verdict, Denied) and verdict.wrong:
            self._throttle.wrong(request.peer.address, now_s)
        if isinstance(verdict, Denied) and not verdict.why:
            self._office.refused(request.peer.address, verdict.words)
        return _answer(verdict)

    async def _enrol(self, request: Request, asked: Asked) -> Verdict:
        given = _basic(request.headers.get("authorization", ""))
        if given is None:
            return Denied(401, "expected gateway id and claim code as user name and password")
        if given[0] != asked.gateway:
            return Denied(401, "the request names another gateway than the user name", wrong=True)
        async with self._office.connect() as connection:
            claim = await claims.find(connection, asked.gateway)
        kept = _NOBODY if claim is None else CodeHash(claim.salt, claim.digest)
        async with self._codes:
            right = await asyncio.to_thread(is_code, given[1], kept)
        async with self._office.connect() as connection:
            return await self._office.desk.enrol(
                connection, asked, right_code=right and claim is not None, now=self._office.now()
            )

    async def _renew(self, shown: x509.Certificate | None, asked: Asked) -> Verdict:
        if shown is None:
            return Denied(403, "expected the gateway's certificate", wrong=True)
        try:
            certificates.common_name(shown)
        except IdentityError as error:
            return Denied(403, str(error), wrong=True)
        async with self._office.connect() as connection:
            return await self._office.desk.renew(connection, asked, shown, now=self._office.now())


_METHODS = {est.CA_CERTIFICATES: "GET", est.HUB: "GET", est.ENROL: "POST", est.RENEW: "POST"}


def _answer(verdict: Verdict) -> Reply:
    if isinstance(verdict, Issued):
        return _certificates(est.certificates_only([verdict.leaf]), est.ISSUED_TYPE)
    if isinstance(verdict, Pending):
        return plain(202, "an administrator has to approve this", Retry_After=str(verdict.wait_s))
    return plain(verdict.status, verdict.words, **(_REALM if verdict.status == 401 else {}))


def _certificates(body: bytes, content_type: str) -> Reply:
    return Reply(200, body, content_type, {"Content-Transfer-Encoding": "base64"})


def _basic(authorization: str) -> tuple[str, str] | None:
    """Return user name and password of HTTP Basic (RFC 7617)."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
