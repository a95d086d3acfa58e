"""What gateways ask and bring, request by request; every refusal is a status and a sentence.

PUT  /media/<gateway>/<sha256>               keeps a picture or a segment
GET  /media/<gateway>/wanted?seen=<digest>   answers when something else is wanted, or after a while
POST /media/<gateway>/live/<session>?n=<n>   passes a frame on
POST /media/<gateway>/wanted/<id>            notes what became of a wish
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from cloud.https_exchange import Reply, Request
from cloud.media.doors import NotYetError, RefusedError, authenticate, body_hash, signature_of
from cloud.media.live import LiveSessions
from cloud.media.vault import FullError, HashError, Vault
from cloud.media.waiters import Waiters
from cloud.refusals import Refusals
from cloud.store.media import NewFile, Sender, add_file, has_file, owns_camera
from cloud.store.media_wishes import OpenWish, answer_wish, open_wishes
from cloud.store.snapshot import Pool
from wire.errors import MessageError
from wire.media import (
    DESCRIPTION_HEADER,
    FRAME_BYTES_MAX,
    OUTCOME_BYTES_MAX,
    POLL_S,
    SEGMENT_BYTES_MAX,
    SHA256,
    Answer,
    Description,
    SpanWanted,
    Wanted,
    read_description,
    read_outcome,
    wanted_digest,
)

_log = logging.getLogger(__name__)

_JSON = "application/json"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER_DIGITS = 15
_SEEN_MAX = 16
_NOT_YET_MAX = 1000
_TOLD = frozenset({400, 403, 411, 413, 422})
"""Statuses of requests that nothing honest sends; 410 and 507 are no one's fault."""


class Requests:
    """Handles the requests of gateways; what it is given is built by `room`."""

    def __init__(
        self,
        pool: Pool,
        *,
        vault: Vault,
        live: LiveSessions,
        waiters: Waiters,
        refusals: Refusals,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._live = live
        self._waiters = waiters
        self._refusals = refusals
        self._now = now
        self._not_yet: set[tuple[str, str]] = set()
        self._coming: Counter[str] = Counter()
        """Bytes of files that are on their way, by gateway."""

    async def handle(self, request: Request) -> Reply:
        """Answer one request; raises `BodyError` alone."""
        try:
            return await self._route(request)
        except NotYetError as refusal:
            self._tell_not_yet(request.peer.name, refusal.reason)
            return _reply(refusal.status, refusal.reason)
        except RefusedError as refusal:
            if refusal.status in _TOLD:
                kind = f"a request that is none ({refusal.status})"
                self._refusals.note(request.peer.name, refusal.reason if refusal.status == 403 else kind)
            return _reply(refusal.status, refusal.reason)
        except psycopg.OperationalError:
            return _reply(503, "the database does not answer")
        except psycopg.Error as error:
            _log.error("media: a request of %s failed: %s", request.peer.name, error)
            return _reply(500, "the hub cannot keep this")

    def _tell_not_yet(self, gateway: str, reason: str) -> None:
        """Log once who came too early: a gateway that has just begun does so, and no attack is like that."""
        if (gateway, reason) not in self._not_yet and len(self._not_yet) < _NOT_YET_MAX:
            self._not_yet.add((gateway, reason))
            _log.info("media: %s comes too early and is told to come again: %s", gateway, reason)

    async def _route(self, request: Request) -> Reply:
        if request.length is None:
            raise RefusedError(411, "a body without a length")
        parts = request.path.split("/")
        if len(parts) < 4 or parts[:2] != ["", "media"]:
            raise RefusedError(404, "nothing is here")
        gateway, what, rest = parts[2], parts[3], parts[4:]
        async with self._pool.connection() as connection:
            sender = await authenticate(connection, request, gateway)
        match request.method, what, rest:
            case "GET", "wanted", []:
                return await self._wanted(request, sender)
            case "POST", "wanted", [wish]:
                return await self._outcome(request, sender, wish)
            case "POST", "live", [session]:
                return await self._frame(request, sender, session)
            case "PUT", sha256, [] if SHA256.fullmatch(sha256):
                return await self._file(request, sender, sha256)
            case "PUT", name, []:
                raise RefusedError(400, f"{name[:80]!r}: expected a SHA-256 as 64 hexadecimal digits")
        raise RefusedError(404, "nothing is here")

    # --- files -------------------------------------------------------------------------------------------

    async def _file(self, request: Request, sender: Sender, sha256: str) -> Reply:
        if body_hash(request) != sha256:
            raise RefusedError(400, "the hash that was signed is not that of the address")
        text = request.headers.get(DESCRIPTION_HEADER, "")
        try:
            description = read_description(text)
        except MessageError as error:
            raise RefusedError(400, str(error)) from None
        if description.bytes != request.length:
            raise RefusedError(400, f"content-length {request.length}: expected {description.bytes}")
        file = _new_file(description, sender, sha256=sha256, text=text, signature=signature_of(request))
        async with self._pool.connection() as connection:
            if not await owns_camera(connection, sender.gateway_id, file.camera):
                raise NotYetError(f"camera {file.camera!r} is none that {sender.gateway} declared")
            there = await has_file(
                connection, sender.gateway_id, camera=file.camera, sha256=file.sha256
            ) and self._vault.holds(sha256)
        if there:
            return _reply(200, "it is here already")
        try:
            with self._on_its_way(sender.gateway, file.size):
                await self._vault.take(request.body(), sha256=sha256, size=file.size)
        except HashError as error:
            expected = f"expected {file.size} bytes with the hash of the address"
            raise RefusedError(422, f"{expected}: {error}") from None
        except FullError as error:
            raise RefusedError(507, str(error)) from None
        async with self._pool.connection() as connection:
            await add_file(connection, file, received_at=self._now())
        return _reply(201, "kept")

    @contextmanager
    def _on_its_way(self, gateway: str, size: int) -> Iterator[None]:
        """Keep a gateway from taking the room of all others by files that it announces and never ends."""
        if self._coming[gateway] + size > SEGMENT_BYTES_MAX:
            raise FullError(f"{SEGMENT_BYTES_MAX} bytes of {gateway} are on their way: no more at once")
        self._coming[gateway] += size
        try:
            yield
        finally:
            self._coming[gateway] -= size
            if not self._coming[gateway]:
                del self._coming[gateway]

    # --- what is wanted ----------------------------------------------------------------------------------

    async def _wanted(self, request: Request, sender: Sender) -> Reply:
        seen = request.query("seen")[:_SEEN_MAX]
        deadline = asyncio.get_running_loop().time() + POLL_S
        self._waiters.heard(sender.gateway)
        while True:
            news = self._waiters.news(sender.gateway)
            async with self._pool.connection() as connection:
                wishes = await open_wishes(connection, sender.gateway_id, now=self._now())
            wanted = _wanted(sender.gateway, wishes, self._live)
            left_s = deadline - asyncio.get_running_loop().time()
            if wanted.digest != seen or left_s <= 0:
                self._waiters.heard(sender.gateway)
                return Reply(200, msgspec.json.encode(wanted), _JSON)
            try:
                async with asyncio.timeout(left_s):
                    await news.wait()
            except TimeoutError:
                pass

    async def _outcome(self, request: Request, sender: Sender, wish: str) -> Reply:
        body = await _small_body(request, OUTCOME_BYTES_MAX)
        try:
            outcome = read_outcome(body)
        except MessageError as error:
            raise RefusedError(400, str(error)) from None
        known = False
        if wish.isdigit() and len(wish) <= _NUMBER_DIGITS:
            async with self._pool.connection() as connection:
                known = await answer_wish(
                    connection,
                    int(wish),
                    gateway_id=sender.gateway_id,
                    state=outcome.state,
                    why=outcome.why,
                    segments=len(outcome.segments),
                    now=self._now(),
                )
        if not known:
            raise RefusedError(410, "nothing is wanted by this number")
        self._waiters.wake(sender.gateway)
        return _reply(200, "noted")

    # --- live --------------------------------------------------------------------------------------------

    async def _frame(self, request: Request, sender: Sender, token: str) -> Reply:
        session = self._live.find(sender.gateway, token)
        if session is None:
            raise RefusedError(410, "nobody looks any more")
        number = request.query("n")
        if not number.isdigit() or len(number) > _NUMBER_DIGITS:
            raise RefusedError(400, f"n {number[:40]!r}: expected the number of the frame")
        frame = await _small_body(request, FRAME_BYTES_MAX)
        if not frame.startswith(b"\xff\xd8\xff"):
            raise RefusedError(422, "expected a JPEG")
        if not self._live.take(session, int(number), frame):
            raise RefusedError(409, "not newer than the frame before")
        return _reply(200, "shown")


async def _small_body(request: Request, most: int) -> bytes:
    """Return a body that is held in memory, if it has the hash that was signed."""
    if (request.length or 0) > most:
        raise RefusedError(413, f"content-length {request.length}: expected at most {most}")
    body = await request.whole(most)
    if hashlib.sha256(body).hexdigest() != body_hash(request):
        raise RefusedError(422, "the body does not have the hash that was signed")
    return body


def _wanted(gateway: str, wishes: Sequence[OpenWish], live: LiveSessions) -> Wanted:
    spans = [SpanWanted(id=w.id, camera=w.camera, from_ms=_ms(w.from_at), to_ms=_ms(w.to_at)) for w in wishes]
    found = Wanted(gateway=gateway, live=live.wanted(gateway), spans=spans)
    return msgspec.structs.replace(found, digest=wanted_digest(found))


def _new_file(
    description: Description, sender: Sender, *, sha256: str, text: str, signature: bytes
) -> NewFile:
    return NewFile(
        sender=sender,
        camera=description.camera,
        device=description.device,
        kind=description.kind,
        sha256=bytes.fromhex(sha256),
        size=description.bytes,
        content_type=description.content_type,
        moment=description.moment,
        reason=description.reason,
        from_at=_time(description.from_ms),
        to_at=_time(description.to_ms),
        description=text,
        signature=signature,
    )


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else EPOCH + timedelta(milliseconds=ms)


def _ms(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def _reply(status: int, said: str) -> Reply:
    return Reply(status, msgspec.json.encode(Answer(said=said)), _JSON)
