"""What the media listener is told; without HENG_MEDIA_PORT there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud.settings import SettingsError

BYTES_MAX = 20_000_000_000


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Where gateways come in, and where their files are kept."""

    port: int
    folder: Path
    certificate: Path
    """Folder with `tls-key.pem` and `tls-cert.pem`: a server's, by the authority that gateways trust."""
    host: str = "127.0.0.1"
    bytes_max: int = BYTES_MAX
    keep_days: int | None = None
    """Files are deleted when they are older, and their rows say so; None: never."""
    live_grace_s: float = 10.0
    """How long a live view goes on without a viewer."""
    read_s: float = 15.0
    """How long may pass between two pieces of a request."""
    told_s: float = 5.0
    """How often what was refused is written into the audit log, if there is any."""


def read_media_settings(environment: Mapping[str, str]) -> MediaSettings | None:
    """Return the settings, None when there is to be no listener; `SettingsError` lists every fault."""
    text = environment.get("HENG_MEDIA_PORT", "")
    if not text:
        return None
    faults: list[str] = []
    port = _whole(environment, "HENG_MEDIA_PORT", (0, 65_535), default=0, faults=faults)
    size = _whole(environment, "HENG_MEDIA_BYTES_MAX", (10**6, 2**60), default=BYTES_MAX, faults=faults)
    days = _whole(environment, "HENG_MEDIA_KEEP_DAYS", (1, 36_525), default=0, faults=faults)
    folder = _folder(environment, "HENG_MEDIA_FOLDER", "the folder that pictures are kept in", faults=faults)
    certificate = _folder(
        environment,
        "HENG_MEDIA_CERTIFICATE",
        "the folder of a server's tls-key.pem and tls-cert.pem",
        faults=faults,
    )
    if faults:
        raise SettingsError(faults)
    return MediaSettings(
        port=port,
        folder=folder,
        certificate=certificate,
        host=environment.get("HENG_MEDIA_HOST") or "127.0.0.1",
        bytes_max=size,
        keep_days=days or None,
    )


def _folder(environment: Mapping[str, str], name: str, what: str, *, faults: list[str]) -> Path:
    text = environment.get(name, "")
    if not text:
        faults.append(f"{name}: expected {what}")
    return Path(text)


def _whole(
    environment: Mapping[str, str],
    name: str,
    bounds: tuple[int, int],
    *,
    default: int,
    faults: list[str],
) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    low, high = bounds
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not low <= int(text) <= high:
        faults.append(f"{name} {text[:40]!r}: expected a whole number from {low} to {high}")
        return default
    return int(text)
