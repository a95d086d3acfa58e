"""Asks a camera over ONVIF where its stream is, what it is and what time it has; `onvif_soap` has the words.

A question is one HTTP POST on a connection of its own, bounded in time and bytes. Whatever goes wrong is
`DeviceUnavailable` with a reason that holds neither address nor secret.
"""

import asyncio
import os
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import h11

from edge.driver import DeviceUnavailable, Given
from edge.drivers.camera import onvif_events_soap as events
from edge.drivers.camera import onvif_soap as soap
from edge.drivers.camera.decode import scrub
from edge.drivers.camera.onvif_events_soap import Notice
from wire.messages import TICK_MS, Clock
from wire.settings.camera import CameraDevice
from wire.status import GapCause

ANSWER_S = 10.0
PULL_S = 2
"""So long a camera waits for something to tell."""
PULL_EVERY_S = 1.0
"""A camera that does not wait is asked no more often."""
_PORTS = {"http": 80, "https": 443}
_MEDIA_PATHS = {soap.MEDIA: "/onvif/media_service"}
"""Where the service is when the camera does not say."""


class Login(Protocol):
    """User and password; no user: the camera wants none."""

    @property
    def user(self) -> str:
        """As the camera knows it."""

    @property
    def password(self) -> str:
        """In clear."""


@dataclass(frozen=True, slots=True)
class Located:
    """A camera that answered."""

    url: str
    """Of its stream, at the host that the settings name."""
    identity: soap.Identity


@dataclass(frozen=True, slots=True)
class _Said:
    """The camera's time when its answer came."""

    utc_ms: int
    sent_ns: int
    back_ns: int


class Onvif:
    """One camera's device service."""

    def __init__(
        self,
        url: str,
        login: Login,
        *,
        monotonic_ns: Callable[[], int],
        answer_s: float = ANSWER_S,
    ) -> None:
        parts = urlsplit(url)
        self._host, self._path = parts.hostname or "", parts.path or "/"
        self._port = parts.port or _PORTS[parts.scheme]
        self._name = parts.netloc
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._login = login
        self._monotonic_ns = monotonic_ns
        self._answer_s = answer_s

    async def locate(self, profile: str = "") -> Located:
        """Return where the stream of a profile is (the first one without a name); `DeviceUnavailable`."""
        try:
            said = await self._time()
            identity = soap.identity(await self._ask(self._path, soap.get_identity(), said))
            paths = soap.services(await self._ask(self._path, soap.get_services(), said)) or _MEDIA_PATHS
            media = next((kind for kind in (soap.MEDIA2, soap.MEDIA) if kind in paths), None)
            if media is None:
                raise soap.SoapError("the camera has no media service")
            listed = soap.profiles(await self._ask(paths[media], soap.get_profiles(media), said))
            token = soap.chosen(listed, profile).token
            answer = await self._ask(paths[media], soap.get_stream(media, token), said)
            host = f"[{self._host}]" if ":" in self._host else self._host
            return Located(soap.stream_url(answer, host), identity)
        except soap.SoapError as error:
            raise self._refused(error) from None

    async def ahead(self, clock: Callable[[], Clock]) -> tuple[int, int] | None:
        """Return how far the camera's clock is ahead and how sure that is, in ms; None: nobody can say."""
        gateway = clock()
        if gateway.offset_ticks is None or gateway.bound_ms is None:
            return None
        try:
            said = await self._time()
        except (DeviceUnavailable, soap.SoapError):
            return None
        middle_ms = (said.sent_ns + said.back_ns) // 2_000_000
        return soap.ahead(
            said.utc_ms,
            utc_ms=middle_ms + gateway.offset_ticks * TICK_MS,
            bound_ms=gateway.bound_ms,
            round_trip_ms=-(-(said.back_ns - said.sent_ns) // 1_000_000),
        )

    def _refused(self, error: soap.SoapError) -> DeviceUnavailable:
        """Return what a camera's own words come to: they may quote what it was asked with."""
        return DeviceUnavailable(f"ONVIF: {scrub(str(error), [self._login.password])}", GapCause.SENSOR)

    async def _time(self) -> _Said:
        sent_ns = self._monotonic_ns()
        body = await self._ask(self._path, soap.get_date(), None)
        return _Said(soap.camera_ms(body), sent_ns, self._monotonic_ns())

    async def alarms(self, heard: Callable[[Sequence[Notice]], Awaitable[None]]) -> None:
        """Have everything heard that the camera says of alarms, and now and then nothing; for ever.

        `DeviceUnavailable`, also when the camera has no alarms.
        """
        try:
            said = await self._time()
            paths = soap.services(await self._ask(self._path, soap.get_services(), said))
            if events.EVENTS not in paths:
                raise soap.SoapError("the camera has no alarms")
            place = paths[events.EVENTS]
            header = events.addressing(events.CREATE, f"http://{self._name}{place}")
            path, address = events.pull_point(await self._ask(place, events.create(), said, header=header))
            header = events.addressing(events.PULL, address)
            while True:
                asked_ns = self._monotonic_ns()
                answer = await self._ask(path, events.pull(PULL_S), said, header=header)
                await heard(list(events.notices(answer)))
                left_s = PULL_EVERY_S - (self._monotonic_ns() - asked_ns) / 1e9
                await asyncio.sleep(max(0.0, left_s))
        except soap.SoapError as error:
            raise self._refused(error) from None

    async def _ask(self, path: str, body: str, said: _Said | None, *, header: str = "") -> Element:
        """Return the body of an answer; `SoapError`, `DeviceUnavailable`. Who knows the time logs in."""
        security = header
        if said is not None and self._login.user:
            since_ms = (self._monotonic_ns() - said.back_ns) // 1_000_000
            security += soap.token_of(
                self._login.user,
                self._login.password,
                nonce=secrets.token_bytes(16),
                utc_ms=said.utc_ms + since_ms,
            )
        data = soap.question(body, security)
        status, challenge, answer = await self._post(path, data)
        if status == 401 and challenge and self._login.user:
            proof = soap.authorization(
                challenge,
                path=path,
                user=self._login.user,
                password=self._login.password,
                cnonce=secrets.token_hex(8),
            )
            status, challenge, answer = await self._post(path, data, proof)
        if status == 401:
            raise soap.LoginError("the camera refuses user and password")
        if status != 200 and not answer.lstrip().startswith(b"<"):
            raise soap.SoapError(f"HTTP status {status}")
        return soap.body_of(answer)

    async def _post(self, path: str, data: bytes, proof: str = "") -> tuple[int, str, bytes]:
        """Return status, challenge and body of the answer; `DeviceUnavailable`."""
        try:
            async with asyncio.timeout(self._answer_s):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
                try:
                    return await self._exchange(reader, writer, self._request(path, data, proof), data=data)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise DeviceUnavailable(
                f"ONVIF: no answer within {self._answer_s:g} s", GapCause.SENSOR
            ) from None
        except ssl.SSLError:
            raise DeviceUnavailable("ONVIF: the camera's certificate is not trusted") from None
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else "nobody of that name"
            raise DeviceUnavailable(f"ONVIF: cannot connect: {why}") from None
        except h11.ProtocolError:
            raise DeviceUnavailable("ONVIF: an answer that is no HTTP", GapCause.SENSOR) from None

    def _request(self, path: str, data: bytes, proof: str) -> h11.Request:
        headers = [
            (b"Host", self._name.encode()),
            (b"Content-Type", b"application/soap+xml; charset=utf-8"),
            (b"Content-Length", str(len(data)).encode()),
            (b"Connection", b"close"),
        ]
        headers += [(b"Authorization", proof.encode())] if proof else []
        return h11.Request(method="POST", target=path, headers=headers)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, *, data: bytes
    ) -> tuple[int, str, bytes]:
        line = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024)
        for part in (request, h11.Data(data=data), h11.EndOfMessage()):
            writer.write(line.send(part) or b"")
        status, challenge = 0, ""
        answer = bytearray()
        while True:
            event = line.next_event()
            if event is h11.NEED_DATA:
                line.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Response):
                status = event.status_code
                challenges = [value for name, value in event.headers if name == b"www-authenticate"]
                digests = [one for one in challenges if one.lower().startswith(b"digest")]
                challenge = (digests or challenges or [b""])[0].decode("utf-8", "replace")
            elif isinstance(event, h11.Data):
                answer += event.data
                if len(answer) > soap.DOCUMENT_BYTES_MAX:
                    return status, challenge, bytes(answer)
            elif isinstance(event, h11.EndOfMessage):
                return status, challenge, bytes(answer)
            else:
                raise h11.RemoteProtocolError("no response")


async def find_stream(settings: CameraDevice, login: Login, given: Given) -> tuple[str, soap.Identity | None]:
    """Return where the stream is, and what the camera says it is if it was asked; `DeviceUnavailable`."""
    if settings.onvif is None:
        assert settings.url is not None
        return settings.url, None
    asked = Onvif(settings.onvif, login, monotonic_ns=given.monotonic_ns)
    located = await asked.locate(settings.profile)
    return located.url, located.identity


async def ask_clock(url: str, given: Given) -> tuple[int, int] | None:
    """Return how far the clock of a camera is ahead and how sure that is, in ms; it needs no password."""
    return await Onvif(url, _Nobody(), monotonic_ns=given.monotonic_ns).ahead(given.clock)


@dataclass(frozen=True, slots=True)
class _Nobody:
    """Asks without a password."""

    user: str = ""
    password: str = ""
