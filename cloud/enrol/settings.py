"""What the EST listener is told: where the authority is, where it listens, what it grants by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cloud.enrol.desk import Policy
from cloud.settings import SettingsError
from provisioning.ca import LEAF_DAYS
from provisioning.claim import bracketed, hub_address
from provisioning.errors import RequestError

PORT = 8885
_DIGITS_MAX = 6


@dataclass(frozen=True, slots=True)
class EnrolSettings:
    """Settings of one EST listener."""

    authority: Path
    """The authority's folder, as `heng ca init` made it; the root's key is not needed in it."""
    host: str = "127.0.0.1"
    port: int = PORT
    url: str = ""
    """How gateways reach it; made from the port when it is empty."""
    broker: str = ""
    """How gateways reach the broker, `mqtts://host:port`."""
    policy: Policy = field(default_factory=Policy)
    revocations: Path | None = None
    """Where the broker reads what it refuses, when that is not the authority's folder."""
    broker_pid: Path | None = None
    """File with the broker's process id, which is told of changes by SIGHUP."""


def read_enrol_settings(environment: Mapping[str, str]) -> EnrolSettings | None:
    """Return the settings; None without HENG_ENROL_CA. `SettingsError` lists every fault."""
    folder = environment.get("HENG_ENROL_CA", "")
    if not folder:
        return None
    faults: list[str] = []
    port = _whole(environment, "HENG_ENROL_PORT", PORT, most=65535, faults=faults)
    days = _whole(
        environment, "HENG_CERTIFICATE_DAYS", Policy().certificate_days, most=LEAF_DAYS, faults=faults
    )
    recover = _whole(environment, "HENG_RECOVER_DAYS", Policy().recover_days, most=36500, faults=faults)
    url = environment.get("HENG_ENROL_URL") or f"https://127.0.0.1:{port}"
    try:
        host, _ = hub_address(url)
    except RequestError as error:
        faults.append(f"HENG_ENROL_URL: {error}")
        host = "127.0.0.1"
    broker = environment.get("HENG_GATEWAY_BROKER_URL") or f"mqtts://{bracketed(host)}:8883"
    if not _is_broker(broker):
        faults.append(f"HENG_GATEWAY_BROKER_URL {broker!r}: expected mqtts://host:port")
    if faults:
        raise SettingsError(faults)
    return EnrolSettings(
        Path(folder),
        environment.get("HENG_ENROL_HOST") or "127.0.0.1",
        port,
        url=url,
        broker=broker,
        policy=Policy(certificate_days=days, recover_days=recover),
        revocations=_path(environment, "HENG_BROKER_CRL"),
        broker_pid=_path(environment, "HENG_BROKER_PID_FILE"),
    )


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "")
    return Path(text) if text else None


def _is_broker(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "mqtts" and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def _whole(environment: Mapping[str, str], name: str, default: int, *, most: int, faults: list[str]) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS_MAX or not 1 <= int(text) <= most:
        faults.append(f"{name} {text!r}: expected a whole number from 1 to {most}")
        return default
    return int(text)
