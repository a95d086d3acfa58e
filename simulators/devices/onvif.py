"""The ONVIF side of a network camera: SOAP over HTTP, with logins checked as a camera checks them.

It knows its own clock alone: a token that was made at another time is refused, and so is one that comes
twice. Sources: ONVIF Core, Media and Media2 specifications; WS-Security UsernameToken Profile 1.0; RFC 7616.
"""

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Fault = Literal["", "silence", "garbage", "slow", "reset", "gone", "bomb", "huge", "denied", "page", "empty"]
SLOW_S = 5.0
CREATED_S = 5.0
"""So far from the camera's own time a token may be made."""
_MEDIA, _MEDIA2 = "http://www.onvif.org/ver10/media/wsdl", "http://www.onvif.org/ver20/media/wsdl"
_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{more}]><a>&z;</a>'
_PROFILES = {"main_token": "main", "sub_token": "sub"}


@dataclass(slots=True)
class OnvifCamera:
    """The truth about one camera. `fault` may be switched at any time."""

    rtsp_port: int
    user: str = "admin"
    password: str = ""
    login: Literal["token", "digest"] = "token"
    media2: bool = False
    now_s: Callable[[], float] = field(default=lambda: 0.0)
    ahead_s: float = 0.0
    """How far the camera's own clock is ahead."""
    serial: str = "SIM0001"
    fault: Fault = ""
    alarms: bool = True
    """Whether it has an events service."""
    asked: list[str] = field(default_factory=list)
    """The names of the questions, in order."""
    _notices: list[str] = field(default_factory=list)
    _noticed: asyncio.Event = field(default_factory=asyncio.Event)
    _nonces: set[str] = field(default_factory=set)
    _realm_nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self._open.add(writer)
        try:
            if self.fault not in ("reset", "gone"):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
                length = re.search(r"(?i)content-length: *(\d+)", head)
                body = (await reader.readexactly(int(length[1]) if length else 0)).decode()
                await self._answer(head, body, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the task ends here, and StreamReaderProtocol wants no cancelled one
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    def alarm(self, topic: str, *, on: bool, name: str = "State") -> None:
        """Tell whoever pulls that an alarm begins or ends."""
        self._notices.append(
            f"<wsnt:NotificationMessage><wsnt:Topic>tns1:{topic}</wsnt:Topic><wsnt:Message>"
            '<tt:Message PropertyOperation="Changed"><tt:Source>'
            '<tt:SimpleItem Name="VideoSourceConfigurationToken" Value="v1"/></tt:Source>'
            f'<tt:Data><tt:SimpleItem Name="{name}" Value="{str(on).lower()}"/></tt:Data></tt:Message>'
            "</wsnt:Message></wsnt:NotificationMessage>"
        )
        self._noticed.set()

    def close(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()

    async def _answer(self, head: str, body: str, writer: asyncio.StreamWriter) -> None:
        name = re.search(r"<s:Body><(\w+)", body)
        self.asked.append(name[1] if name else "")
        if self.fault == "silence":
            await asyncio.get_running_loop().create_future()
        if self.fault == "slow":
            await asyncio.sleep(SLOW_S)
        status, text = self._said(head, body)
        if self.asked[-1] == "PullMessages" and status == "200 OK":
            text = await self._pulled()
        if self.fault == "garbage":
            data = b"\x00\xff nothing that anybody knows\r\n\r\n"
        else:
            lines = [
                f"HTTP/1.1 {status}",
                "Content-Type: application/soap+xml",
                f"Content-Length: {len(text)}",
            ]
            if status.startswith("401") and self.login == "digest":
                lines.append(
                    f'WWW-Authenticate: Digest realm="camera", qop="auth", nonce="{self._realm_nonce}"'
                )
            data = "\r\n".join([*lines, "Connection: close", "", ""]).encode() + text.encode()
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        await asyncio.sleep(0.05)

    def _said(self, head: str, body: str) -> tuple[str, str]:
        """Return status and document of the answer."""
        name = self.asked[-1]
        special = {
            "bomb": _BOMB.format(
                more="".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcd", "bcde", strict=True))
            ),
            "huge": "<a>" + "x" * 2_000_000 + "</a>",
            "page": "<html><body>Log in</body></html>",
            "empty": _envelope(f"<{name}Response/>"),
        }
        if self.fault in special:
            return "200 OK", special[self.fault]
        if name == "GetSystemDateAndTime":
            return "200 OK", _envelope(self._date())
        if not self._may(head, body):
            if self.login == "digest":
                return "401 Unauthorized", ""
            return "400 Bad Request", _fault("ter:NotAuthorized", "Sender not Authorized")
        answers: dict[str, Callable[[str], str]] = {
            "GetDeviceInformation": lambda _: self._information(),
            "GetServices": lambda _: self._services(),
            "GetProfiles": lambda _: self._profiles(),
            "GetStreamUri": self._stream,
            "CreatePullPointSubscription": lambda _: self._subscription(),
            "PullMessages": lambda _: "",
        }
        if name not in answers:
            return "500 Internal Server Error", _fault("ter:ActionNotSupported", "Action Not Implemented")
        return "200 OK", _envelope(answers[name](body))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s() + self.ahead_s, UTC)

    def _date(self) -> str:
        now = self._now()
        time = {"Hour": now.hour, "Minute": now.minute, "Second": now.second}
        day = {"Year": now.year, "Month": now.month, "Day": now.day}
        inside = f"<tt:Time>{_elements('tt', time)}</tt:Time><tt:Date>{_elements('tt', day)}</tt:Date>"
        utc = f"<tt:UTCDateTime>{inside}</tt:UTCDateTime>"
        return f"<tds:GetSystemDateAndTimeResponse>{utc}</tds:GetSystemDateAndTimeResponse>"

    def _information(self) -> str:
        said = {
            "Manufacturer": "Heng simulators",
            "Model": "SIM-CAM",
            "FirmwareVersion": "1.0",
            "SerialNumber": self.serial,
            "HardwareId": "1",
        }
        return (
            f"<tds:GetDeviceInformationResponse>{_elements('tds', said)}</tds:GetDeviceInformationResponse>"
        )

    def _services(self) -> str:
        """Return addresses as a camera behind a router gives them: nobody out here reaches that host."""
        kinds = [_MEDIA, *([_MEDIA2] if self.media2 else []), *([_EVENTS] if self.alarms else [])]
        listed = "".join(
            f"<tds:Service><tds:Namespace>{kind}</tds:Namespace>"
            f"<tds:XAddr>http://192.0.2.7/onvif/media{number}</tds:XAddr></tds:Service>"
            for number, kind in enumerate(kinds, 1)
        )
        return f"<tds:GetServicesResponse>{listed}</tds:GetServicesResponse>"

    def _profiles(self) -> str:
        listed = "".join(
            f'<trt:Profiles token="{token}"><tt:Name>{name}</tt:Name></trt:Profiles>'
            for token, name in _PROFILES.items()
        )
        return f"<trt:GetProfilesResponse>{listed}</trt:GetProfilesResponse>"

    def _stream(self, body: str) -> str:
        token = re.search(r"<ProfileToken>(\w*)</ProfileToken>", body)
        name = _PROFILES.get(token[1] if token else "", "")
        uri = f"<tt:Uri>rtsp://192.0.2.7:{self.rtsp_port}/live?profile={name}&amp;x=1</tt:Uri>"
        return f"<trt:GetStreamUriResponse><trt:MediaUri>{uri}</trt:MediaUri></trt:GetStreamUriResponse>"

    def _subscription(self) -> str:
        reference = "<wsa:Address>http://192.0.2.7/onvif/pull?id=7</wsa:Address>"
        return (
            "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference>"
            f"{reference}</tev:SubscriptionReference></tev:CreatePullPointSubscriptionResponse>"
        )

    async def _pulled(self) -> str:
        """Return what happened since the last time, after a while when nothing did."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._noticed.wait()
        self._noticed.clear()
        said, self._notices = "".join(self._notices), []
        return _envelope(f"<tev:PullMessagesResponse>{said}</tev:PullMessagesResponse>")

    # --- logins --------------------------------------------------------------------------------

    def _may(self, head: str, body: str) -> bool:
        if self.fault == "denied":
            return False
        if not self.password:
            return True
        return self._digest_right(head) if self.login == "digest" else self._token_right(body)

    def _token_right(self, body: str) -> bool:
        parts = [
            re.search(rf"<\w+:{name}(?: [^>]*)?>([^<]*)<", body)
            for name in ("Username", "Password", "Nonce", "Created")
        ]
        if any(part is None for part in parts):
            return False
        user, proof, nonce, created = (part[1] for part in parts if part is not None)
        made = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        whole = base64.b64decode(nonce) + created.encode() + self.password.encode()
        right = base64.b64encode(hashlib.sha1(whole, usedforsecurity=False).digest()).decode() == proof
        fresh = abs((made - self._now()).total_seconds()) <= CREATED_S and nonce not in self._nonces
        self._nonces.add(nonce)
        return user == self.user and right and fresh

    def _digest_right(self, head: str) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",\r]*)"?', head.partition("Authorization: Digest ")[2]))
        path = head.split(" ")[1]
        if (
            said.get("nonce") != self._realm_nonce
            or said.get("uri") != path
            or said.get("username") != self.user
        ):
            return False
        secret, asked = _md5(f"{self.user}:camera:{self.password}"), _md5(f"POST:{path}")
        between = f"{said['nonce']}:{said.get('nc')}:{said.get('cnonce')}:auth"
        return said.get("response") == _md5(f"{secret}:{between}:{asked}")


def _elements(prefix: str, values: Mapping[str, object]) -> str:
    return "".join(f"<{prefix}:{name}>{value}</{prefix}:{name}>" for name, value in values.items())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _envelope(inside: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
        ' xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"'
        f' xmlns:tev="{_EVENTS}" xmlns:wsa="http://www.w3.org/2005/08/addressing"'
        ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2">'
        f"<SOAP-ENV:Body>{inside}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


def _fault(subcode: str, text: str) -> str:
    code = f"<SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value><SOAP-ENV:Subcode><SOAP-ENV:Value>{subcode}"
    reason = f'<SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{text}</SOAP-ENV:Text></SOAP-ENV:Reason>'
    return _envelope(
        f"<SOAP-ENV:Fault><SOAP-ENV:Code>{code}</SOAP-ENV:Value></SOAP-ENV:Subcode></SOAP-ENV:Code>"
        f"{reason}</SOAP-ENV:Fault>"
    )


@asynccontextmanager
async def onvif_server(camera: OnvifCamera, *, port: int = 0) -> AsyncIterator[int]:
    """Serve a camera on 127.0.0.1 while the context is open; gives the port."""
    server = await asyncio.start_server(camera.serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        camera.close()
        await server.wait_closed()
