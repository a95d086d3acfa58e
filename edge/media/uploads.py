"""Brings files to the hub: pictures that wait, and stretches of recordings that were asked for.

A file is gone here only after the hub's clear word. What the hub refuses for good is passed over for a while
and told, so that it does not stand in the way of the others.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import BinaryIO

import msgspec

from edge.media.link import Body, Link, LinkError
from edge.media.source import MediaSource, Outgoing
from wire.media import NO_BODY, Outcome, SpanWanted, description_text, media_path
from wire.messages import Scalar

LOG = logging.getLogger(__name__)
AT_ONCE = 32
PASS_OVER_S = 3600.0
_TAKEN = (200, 201, 409)
_BAD = (400, 413, 422)
_NOT_YET = 403
_GONE = 410
_HASH_BYTES = 1 << 20

Tell = Callable[..., None]


class Uploads:
    """What is brought over one connection."""

    def __init__(self, gateway: str, link: Link, *, tell: Tell, now: Callable[[], float]) -> None:
        """`tell` journals events, `now` is monotonic seconds."""
        self._gateway = gateway
        self._link = link
        self._tell = tell
        self._now = now
        self._passed_over: dict[str, float] = {}
        self._answered: set[int] = set()
        self._brought: set[tuple[int, str]] = set()
        """Stretches and segments of them that were told: what is brought again is no news."""

    # --- pictures ----------------------------------------------------------------------------------------

    async def bring_pictures(
        self, sources: Sequence[MediaSource], *, until: Callable[[], bool] = lambda: False
    ) -> None:
        """Bring all pictures that wait, or as many as go before `until`; `LinkError` when the hub takes none.

        A hub that does not know a camera yet is asked again later; the other cameras' pictures go on.
        """
        unknown = ""
        for source in sources:
            while not until() and (waiting := source.pictures(AT_ONCE, but=self._over())):
                for picture in waiting:
                    status, said = await self._put(picture)
                    if status in _TAKEN:
                        source.sent(picture)
                        self._tell("picture_uploaded", {"sha256": picture.sha256}, subject=source.camera)
                    elif status == _NOT_YET:
                        unknown = said
                        break
                    else:
                        self._refused(picture, status, said)
                if unknown:
                    break
        if unknown:
            raise LinkError(unknown)

    def _over(self) -> set[str]:
        now = self._now()
        self._passed_over = {name: since for name, since in self._passed_over.items() if since > now}
        return set(self._passed_over)

    def _refused(self, picture: Outgoing, status: int, said: str) -> None:
        """Pass over what the hub will not take; everything else is a reason to wait."""
        if status not in _BAD:
            raise LinkError(f"the hub answered {status}: {said}")
        self._passed_over[picture.sha256] = self._now() + PASS_OVER_S
        LOG.warning("media: picture %s was refused with %d: %s", picture.sha256, status, said)
        data: dict[str, Scalar] = {"sha256": picture.sha256, "status": status, "why": said}
        self._tell("picture_refused", data, subject=picture.description.camera)

    # --- recordings --------------------------------------------------------------------------------------

    async def bring_spans(self, spans: Sequence[SpanWanted], sources: Sequence[MediaSource]) -> None:
        """Bring what is recorded of each stretch and say what became of it; `LinkError`.

        A stretch of which more may be recorded in a moment is left for the next time.
        """
        wanted = {span.id for span in spans}
        self._answered &= wanted
        self._brought = {one for one in self._brought if one[0] in wanted}
        for span in spans:
            if span.id in self._answered:
                continue
            source = next((one for one in sources if one.camera == span.camera), None)
            if source is not None and source.recording_until(span.to_ms):
                continue
            outcome = await self._bring_span(span, source)
            await self._say(span, outcome)
            self._answered.add(span.id)

    async def _bring_span(self, span: SpanWanted, source: MediaSource | None) -> Outcome:
        if source is None:
            return Outcome(state="failed", why="this gateway has no such camera")
        sent: list[str] = []
        for segment in source.recorded(span.from_ms, span.to_ms):
            try:
                with segment.file.open("rb") as file:
                    sha256 = await asyncio.to_thread(_hash, file)
                    status, said = await self._put_file(segment, file, sha256, wish=span.id)
            except FileNotFoundError:
                continue  # it was the oldest, and went for a new one
            except OSError as error:
                return Outcome(
                    state="failed", why=f"{segment.file.name}: {error.strerror}"[:200], segments=sent
                )
            if status not in _TAKEN:
                if status in _BAD:
                    return Outcome(state="failed", why=said[:200], segments=sent)
                raise LinkError(f"the hub answered {status}: {said}")
            sent.append(sha256)
            self._tell_recording(segment, sha256, span)
        return Outcome(state="done" if sent else "none", segments=sent)

    def _tell_recording(self, segment: Outgoing, sha256: str, span: SpanWanted) -> None:
        if (span.id, sha256) in self._brought:
            return
        self._brought.add((span.id, sha256))
        told = segment.description
        data: dict[str, Scalar] = {
            "sha256": sha256,
            "bytes": told.bytes,
            "from_ms": told.from_ms,
            "to_ms": told.to_ms,
            "wish": span.id,
        }
        self._tell("recording_uploaded", data, subject=told.camera)

    async def _say(self, span: SpanWanted, outcome: Outcome) -> None:
        target = media_path(self._gateway, "wanted", str(span.id))
        answer = await self._link.ask("POST", target, body=Body.of(msgspec.json.encode(outcome)))
        if answer.status not in (200, _GONE):
            raise LinkError(f"the hub answered {answer.status} to what became of a recording")

    # --- files -------------------------------------------------------------------------------------------

    async def _put(self, picture: Outgoing) -> tuple[int, str]:
        try:
            with picture.file.open("rb") as file:
                return await self._put_file(picture, file, picture.sha256)
        except FileNotFoundError:
            return 200, "it is gone here"
        except OSError as error:
            return 422, f"{picture.file.name}: {error.strerror}"

    async def _put_file(
        self, outgoing: Outgoing, file: BinaryIO, sha256: str, *, wish: int | None = None
    ) -> tuple[int, str]:
        description = msgspec.structs.replace(outgoing.description, wish=wish)
        answer = await self._link.ask(
            "PUT",
            media_path(self._gateway, sha256),
            body=Body(file, description.bytes, sha256 or NO_BODY),
            description=description_text(description),
        )
        return answer.status, _said(answer.body)


def _hash(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := file.read(_HASH_BYTES):
        digest.update(data)
    return digest.hexdigest()


def _said(body: bytes) -> str:
    try:
        found = msgspec.json.decode(body, type=dict[str, str]).get("said", "")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return found[:200].replace("\0", "")
