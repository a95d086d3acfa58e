"""What the alarm room is told by the environment: the mail server, and where hooks may lead."""

from collections.abc import Mapping
from email.utils import parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

from cloud.notify.ways import MailServer
from cloud.settings import SettingsError, is_loopback

_EXPECTED = "expected smtp://user:password@host:587?from=heng@example.org, or smtps:// with port 465"
_PORTS = {"smtp": 587, "smtps": 465}


def read_notify_local(environment: Mapping[str, str]) -> bool:
    """Return whether hooks may lead to this machine, `HENG_NOTIFY_LOCAL`; `SettingsError`."""
    text = environment.get("HENG_NOTIFY_LOCAL", "0")
    if text not in ("0", "1"):
        raise SettingsError([f"HENG_NOTIFY_LOCAL {text!r}: expected 0 or 1"])
    return text == "1"


def read_mail_server(environment: Mapping[str, str]) -> MailServer | None:
    """Return the mail server of `HENG_SMTP_URL`, None when it is not set; `SettingsError` without its secret.

    `smtp` asks for STARTTLS, but for a server on this machine; `smtps` is TLS from the first byte.
    """
    text = environment.get("HENG_SMTP_URL", "")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise SettingsError([f"HENG_SMTP_URL: {_EXPECTED}"]) from None
    sender = parse_qs(parts.query).get("from", [""])[0]
    if parts.scheme not in _PORTS or not parts.hostname or "@" not in parseaddr(sender)[1]:
        raise SettingsError([f"HENG_SMTP_URL: {_EXPECTED}"])
    security = "tls" if parts.scheme == "smtps" else "none" if is_loopback(parts.hostname) else "starttls"
    return MailServer(
        parts.hostname,
        port or _PORTS[parts.scheme],
        sender,
        security,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
