"""Ways by which a message leaves the hub: e-mail, webhook, WeCom, DingTalk, SMS. They block: for threads.

Each way says in `told` what the far end answered, in one line and without any secret. Redirections are not
followed: a hook that moves is entered anew by a person. Of what a hook answers nothing is told but the
number and short text of a robot: whoever enters a hook is not to read with it what only the hub reaches.
"""

import base64
import hashlib
import hmac
import http.client
import json
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Protocol
from urllib.parse import quote_plus, urlsplit

from cloud.notify.line import TIMEOUT_S, Line, RefusedAddressError

WECOM_BYTES_MAX = 2048
"""Of the content of a text; WeCom refuses longer ones."""
DINGTALK_BYTES_MAX = 18_000
_ANSWER_MAX = 64 * 1024
_HTTP_OK = range(200, 300)
_HTTP_ASK_AGAIN = (408, 429)
_SMTP_LASTING = 550
_ERRMSG_MAX = 100
_CODE_MAX = 10**9
_LATE = "no answer in time"
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (RefusedAddressError, "a hook may not lead to this machine: HENG_NOTIFY_LOCAL"),
    (ConnectionRefusedError, "nobody listens at this address"),
    (ConnectionError, "the far end broke the connection off"),
    (TimeoutError, _LATE),
    (socket.gaierror, "no host of this name is found"),
    (ssl.SSLCertVerificationError, "the certificate of the far end is not trusted"),
    (ssl.SSLError, "no encrypted connection could be made"),
    (smtplib.SMTPServerDisconnected, "the mail server broke the connection off"),
    (smtplib.SMTPNotSupportedError, "the mail server cannot do what HENG_SMTP_URL asks of it"),
)
"""What went wrong -> what people are told; the first that fits."""
UNSENDABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, MessageError)
"""What libraries raise for a target or an answer that makes no sense; `UnicodeError` is a `ValueError`."""


class WayError(Exception):
    """A message did not go out; `lasting`: trying again would not help."""

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told."""

    id: int
    """Of the delivery; the same at every attempt, so that who receives can tell a repetition."""
    subject: str
    body: str
    created_at: datetime

    @property
    def text(self) -> str:
        """Return subject and body as one text."""
        return f"{self.subject}\n{self.body}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a way leads: what may be shown of it, and what may not."""

    kind: str
    """`email`, `webhook`, `wecom`, `dingtalk` or `sms`."""
    target: str
    secret: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mail is handed in."""

    host: str
    port: int
    sender: str
    security: str = "starttls"
    """`starttls`, `tls` or `none`."""
    user: str = ""
    password: str = ""


class Sms(Protocol):
    """A provider of text messages. Heng ships none: an installation brings its own."""

    def send(self, numbers: tuple[str, ...], text: str, *, key: str) -> str:
        """Send a text and return what the provider said; `key` is the same at every attempt. `WayError`."""


@dataclass(frozen=True, slots=True)
class Given:
    """What ways are given by the hub."""

    mail: MailServer | None = None
    sms: Sms | None = None
    clock: Callable[[], datetime] = datetime.now
    trusted: ssl.SSLContext | None = None
    """None: what the machine trusts."""
    local: bool = False
    """Whether hooks may lead to this machine and to link-local addresses."""


def send(way: Address, message: Message, given: Given, *, line: Line | None = None) -> str:
    """Send a message by one way and return what the far end said. `WayError` when it did not go out.

    Who has no time left cuts `line`.
    """
    line = line or Line()
    try:
        told = _WAYS[way.kind](way, message, given, line=line)
    except (OSError, http.client.HTTPException, smtplib.SMTPException) as error:
        raise WayError(_LATE if line.is_cut else _plain(error)) from None
    except UNSENDABLE as error:  # its text may have the address of the hook
        raise WayError(f"it cannot be sent so: {type(error).__name__}") from None
    finally:
        line.close()
    if line.is_cut:  # where it was cut looks like the end of an answer
        raise WayError(_LATE)
    return told


def send_mail(way: Address, message: Message, given: Given, *, line: Line) -> str:
    """Hand a message in at the mail server; its target is one or more addresses, separated by commas."""
    server = given.mail
    if server is None:
        raise WayError("no mail server is set up: HENG_SMTP_URL", lasting=True)
    mail = EmailMessage()
    mail["Subject"], mail["From"] = message.subject, server.sender
    mail["To"] = ", ".join(addresses(way.target))
    mail["Date"] = format_datetime(given.clock().astimezone())
    mail["Message-ID"] = make_msgid(f"heng-{message.id}", domain="heng.invalid")
    mail["X-Heng-Delivery"] = str(message.id)
    mail.set_content(message.body)
    with _open(server, given, line) as session:
        if server.security == "starttls":
            session.starttls(context=_trust(given))
        if server.user:
            session.login(server.user, server.password)
        try:
            refused = session.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise WayError(
                f"SMTP {max(codes)}: refused for all", lasting=min(codes) >= _SMTP_LASTING
            ) from None
        except smtplib.SMTPResponseException as error:
            raise WayError(_plain(error), lasting=error.smtp_code >= _SMTP_LASTING) from None
    return "accepted" if not refused else f"accepted, but refused for {', '.join(sorted(refused))}"


def send_webhook(way: Address, message: Message, given: Given, *, line: Line) -> str:
    """Post a message as JSON; with a key its HMAC-SHA256 is in `X-Heng-Signature`."""
    body = json.dumps(
        {
            "delivery": message.id,
            "subject": message.subject,
            "text": message.body,
            "created_at": message.created_at.isoformat(),
        },
        ensure_ascii=False,
    ).encode()
    headers = {}
    if key := way.secret.get("key"):
        headers["X-Heng-Signature"] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    with _post(way.secret["url"], body, given, line=line, headers=headers) as answer:
        return f"HTTP {answer.status}"


def send_wecom(way: Address, message: Message, given: Given, *, line: Line) -> str:
    """Post a text to a WeCom group robot."""
    content = _cut(message.text, WECOM_BYTES_MAX)
    return _robot(way.secret["url"], {"msgtype": "text", "text": {"content": content}}, given, line=line)


def send_dingtalk(way: Address, message: Message, given: Given, *, line: Line) -> str:
    """Post a text to a DingTalk group robot, signed where it has a secret."""
    url = way.secret["url"]
    if key := way.secret.get("key"):
        stamp = round(given.clock().timestamp() * 1000)
        url += f"&timestamp={stamp}&sign={quote_plus(dingtalk_sign(key, stamp))}"
    content = _cut(message.text, DINGTALK_BYTES_MAX)
    return _robot(url, {"msgtype": "text", "text": {"content": content}}, given, line=line)


def send_sms(way: Address, message: Message, given: Given, *, line: Line) -> str:
    """Give a text to the provider of this installation; its target is numbers, separated by commas."""
    del line  # the provider has connections of its own
    if given.sms is None:
        raise WayError("no provider of text messages is set up", lasting=True)
    return given.sms.send(addresses(way.target), message.subject, key=f"heng-{message.id}")


_WAYS = {
    "email": send_mail,
    "webhook": send_webhook,
    "wecom": send_wecom,
    "dingtalk": send_dingtalk,
    "sms": send_sms,
}


def dingtalk_sign(key: str, stamp_ms: int) -> str:
    """Return DingTalk's signature of a request at a time: base64 of HMAC-SHA256 over time and key."""
    digest = hmac.new(key.encode(), f"{stamp_ms}\n{key}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def addresses(target: str) -> tuple[str, ...]:
    """Return addresses or numbers that are separated by commas."""
    return tuple(part for one in target.split(",") if (part := one.strip()))


def _open(server: MailServer, given: Given, line: Line) -> smtplib.SMTP:
    # By default the name of this machine is looked up, which takes long where nobody knows it.
    me = server.sender.rpartition("@")[2].rstrip(">") or "localhost"
    return _Mail(server, me, line=line, trusted=_trust(given) if server.security == "tls" else None)


class _Mail(smtplib.SMTP):
    """A session whose connection can be cut; with `trusted` it is TLS from the first byte."""

    def __init__(self, server: MailServer, me: str, *, line: Line, trusted: ssl.SSLContext | None) -> None:
        self._line, self._trusted = line, trusted
        super().__init__(server.host, server.port, me, timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = self._line.connect(host, port, timeout)
        return made if self._trusted is None else _wrap(made, host, self._trusted)


def _wrap(made: socket.socket, host: str, trusted: ssl.SSLContext) -> socket.socket:
    try:
        return trusted.wrap_socket(made, server_hostname=host)
    except (OSError, ValueError):
        made.close()
        raise


def _trust(given: Given) -> ssl.SSLContext:
    return given.trusted or ssl.create_default_context()


def _robot(url: str, body: object, given: Given, *, line: Line) -> str:
    """Post to a robot; both WeCom and DingTalk answer 200 with a code of their own, 0 when it is done."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    with _post(url, raw, given, line=line, headers={}) as answer:
        found = answer.read(_ANSWER_MAX)
    try:
        said = json.loads(found)
        code, text = said["errcode"], said.get("errmsg", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise WayError("the answer is none of a robot") from None
    if not isinstance(code, int) or abs(code) > _CODE_MAX:
        raise WayError("the answer is none of a robot")
    if code != 0:
        shown = " ".join(text.split())[:_ERRMSG_MAX] if isinstance(text, str) else ""
        raise WayError(f"errcode {code}: {shown}")
    return "errcode 0"


@contextmanager
def _post(
    url: str, body: bytes, given: Given, *, line: Line, headers: Mapping[str, str]
) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    trusted = _trust(given) if parts.scheme == "https" else None
    link = (
        http.client.HTTPConnection(host, parts.port)
        if trusted is None
        else http.client.HTTPSConnection(host, parts.port, context=trusted)
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    made = line.connect_hook(host, link.port, local=given.local)
    link.sock = made if trusted is None else _wrap(made, host, trusted)
    try:
        sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Heng", **headers}
        link.request("POST", path, body, sent)
        with link.getresponse() as answer:
            if answer.status not in _HTTP_OK:
                lasting = answer.status in range(400, 500) and answer.status not in _HTTP_ASK_AGAIN
                raise WayError(f"HTTP {answer.status}", lasting=lasting)
            yield answer
    finally:
        link.close()


def _cut(text: str, most: int) -> str:
    """Return a text of at most so many bytes of UTF-8, whole characters."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 4].decode(errors="ignore") + "…"


def _plain(error: Exception) -> str:
    """Return what went wrong in one line, without addresses of hooks."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else ""
        return f"SMTP {error.smtp_code} {said}"[:300].replace("\n", " ")
    if isinstance(error, http.client.HTTPException):  # its text is what the far end said
        return type(error).__name__
    for kind, words in _FAILURES:
        if isinstance(error, kind):
            return words
    said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return f"it could not be sent: {said}"[:300].replace("\n", " ")
