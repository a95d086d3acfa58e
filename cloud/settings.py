"""What one hub process is told: where database and broker are, who it is, where it listens.

Values come from `HENG_…` variables of the environment, and options of the command line win. It opens
nothing and checks only what can be seen in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
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
    """Pages have no sign-in: nothing but this machine may reach them."""
    port: int = 8080
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
    if faults:
        raise SettingsError(faults)
    return HubSettings(
        database_url,
        broker,
        folder,
        port=listen,
        suspect_after_s=float(suspect),
        bracket_after_s=float(bracket),
    )


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
