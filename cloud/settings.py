"""What one hub process is told: where database and broker are, who it is, where it listens.

Values come from `HENG_…` variables of the environment, and options of the command line win. It opens
nothing and checks only what can be seen in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_DIGITS_MAX = 9
_BROKER = "expected mqtts://host:port"


class SettingsError(Exception):
    """Settings that cannot be used; `faults` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker's listener for hub workers."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Settings of one hub process."""

    database_url: str
    broker: Broker
    identity: Path
    """Identity folder of this worker, made by `heng ca issue hub`."""
    host: str = "127.0.0.1"
    """Where pages and API listen; beyond this machine only with TLS, and once there are accounts."""
    port: int = 8080
    certificate: Path | None = None
    """Of pages and API, with its key: PEM files. Both or neither."""
    key: Path | None = None
    session_idle_min: int = 60
    """A session that nobody used for so long ends."""
    session_hours: int = 12
    """Every session ends after so long."""
    audit_heads: Path | None = None
    """File that signed heads of the audit log are appended to; best kept on another machine."""
    queue_messages: int = 20_000
    """Messages that may wait for a commit; beyond it they are dropped, and gateways send them again."""
    queue_bytes: int = 128 * 1024 * 1024
    commit_messages: int = 4_000
    """Most messages in one commit."""
    commit_bytes: int = 8 * 1024 * 1024
    suspect_after_s: float = 120.0
    """A gateway that sent no batch for so long is suspected offline."""
    bracket_after_s: float = 3600.0
    """A boot without time is bracketed when nothing of it came for so long."""


def broker_of_url(url: str) -> Broker:
    """Return host and port of `mqtts://host[:port]`; `SettingsError` for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 8884
    except ValueError:
        raise SettingsError([f"HENG_MQTT_URL {url!r}: {_BROKER}"]) from None
    if "@" in url:
        raise SettingsError([f"HENG_MQTT_URL: {_BROKER} without user or password"])
    if parts.scheme != "mqtts" or not host:
        raise SettingsError([f"HENG_MQTT_URL {url!r}: {_BROKER}" if url else f"HENG_MQTT_URL: {_BROKER}"])
    return Broker(host, port)


def from_environment(
    environment: Mapping[str, str], *, port: int | None = None, identity: Path | None = None
) -> HubSettings:
    """Return the settings of a hub that uses services of its own; `SettingsError` lists every fault."""
    faults = []
    database_url = environment.get("HENG_DATABASE_URL", "")
    if not _is_conninfo(database_url):
        faults.append("HENG_DATABASE_URL: expected postgresql://role:password@host:port/database")
    broker = Broker("", 0)
    try:
        broker = broker_of_url(environment.get("HENG_MQTT_URL", ""))
    except SettingsError as error:
        faults.extend(error.faults)
    folder = identity or Path(environment.get("HENG_IDENTITY", ""))
    if folder == Path():
        faults.append("HENG_IDENTITY: expected the folder that `heng ca issue hub` made")
    listen = _whole(environment, "HENG_HTTP_PORT", 8080, faults=faults) if port is None else port
    if not 0 <= listen < 65_536:
        faults.append(f"--port {listen}: expected a whole number from 0 (any free port) to 65535")
    suspect = _whole(environment, "HENG_SUSPECT_AFTER_S", 120, faults=faults)
    bracket = _whole(environment, "HENG_BRACKET_AFTER_S", 3600, faults=faults)
    idle = _whole(environment, "HENG_SESSION_IDLE_MIN", 60, faults=faults)
    hours = _whole(environment, "HENG_SESSION_HOURS", 12, faults=faults)
    host = environment.get("HENG_HTTP_HOST", "127.0.0.1")
    certificate, key = _path(environment, "HENG_HTTP_CERTIFICATE"), _path(environment, "HENG_HTTP_KEY")
    faults += _host_faults(host, certificate, key)
    if faults:
        raise SettingsError(faults)
    return HubSettings(
        database_url,
        broker,
        folder,
        host=host,
        port=listen,
        certificate=certificate,
        key=key,
        session_idle_min=idle,
        session_hours=hours,
        audit_heads=_path(environment, "HENG_AUDIT_HEADS"),
        suspect_after_s=float(suspect),
        bracket_after_s=float(bracket),
    )


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host_faults(host: str, certificate: Path | None, key: Path | None) -> list[str]:
    faults = []
    if not host:
        faults.append("HENG_HTTP_HOST '': expected an address such as 127.0.0.1")
    files = {"HENG_HTTP_CERTIFICATE": certificate, "HENG_HTTP_KEY": key}
    needed = certificate is not None or key is not None or not is_loopback(host or "127.0.0.1")
    for name, path in files.items():
        if needed and path is None:
            faults.append(f"{name}: expected a PEM file: no password leaves this machine in the clear")
        elif path is not None and not path.is_file():
            faults.append(f"{name} {str(path)!r}: expected a PEM file")
    return faults


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "")
    return Path(text) if text else None


def _is_conninfo(text: str) -> bool:
    try:
        return bool(conninfo_to_dict(text))
    except ProgrammingError:
        return False


def _whole(environment: Mapping[str, str], name: str, default: int, *, faults: list[str]) -> int:
    text = environment.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX or not 0 < int(text) < 65_536:
        faults.append(f"{name} {text!r}: expected a whole number from 1 to 65535")
        return default
    return int(text)
