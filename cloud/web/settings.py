"""Settings of the pages, from the environment: the basemap, and where the browser libraries are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from cloud.settings import SettingsError

TileKind = Literal["wgs84", "gcj02"]
LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"


@dataclass(frozen=True, slots=True)
class Tiles:
    """A basemap; without addresses the map is a plain grid."""

    urls: tuple[str, ...] = ()
    """With {z}, {x} and {y}; drawn one above the other."""
    kind: TileKind = "wgs84"
    attribution: str = ""

    @property
    def for_browser(self) -> dict[str, object]:
        """The basemap as the map's script takes it."""
        return {"urls": self.urls, "kind": self.kind, "attribution": self.attribution}

    @property
    def origins(self) -> tuple[str, ...]:
        """Scheme, host and port of every address: what the browser may load pictures from."""
        parts = [urlsplit(url) for url in self.urls]
        return tuple(sorted({f"{part.scheme}://{part.netloc}" for part in parts}))


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What `mount` is given."""

    tiles: Tiles = Tiles()
    libraries: Path = LIBRARIES


def read_settings(environment: Mapping[str, str]) -> WebSettings:
    """Return what HENG_TILE_… and HENG_WEB_LIBRARIES say; raises `SettingsError` with every fault."""
    key = environment.get("HENG_TILE_KEY", "")
    kind = environment.get("HENG_TILE_KIND", "wgs84")
    urls = tuple(environment.get("HENG_TILE_URL", "").split())
    faults = list(dict.fromkeys(fault for url in urls for fault in _url_faults(url, key)))
    if kind not in ("wgs84", "gcj02"):
        faults.append(f"HENG_TILE_KIND: {kind!r}, expected wgs84 or gcj02")
    if faults:
        raise SettingsError(faults)
    tiles = Tiles(
        tuple(url.replace("{key}", key) for url in urls),
        "gcj02" if kind == "gcj02" else "wgs84",
        environment.get("HENG_TILE_ATTRIBUTION", ""),
    )
    return WebSettings(tiles, Path(environment.get("HENG_WEB_LIBRARIES", str(LIBRARIES))))


def _url_faults(url: str, key: str) -> list[str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return [f"HENG_TILE_URL: {url!r}, expected an http or https address"]
    faults = []
    if parts.scheme not in ("http", "https") or not parts.hostname:
        faults.append(f"HENG_TILE_URL: {url!r}, expected an http or https address")
    if any(sign in parts.netloc for sign in "{};,' "):
        faults.append(f"HENG_TILE_URL: {url!r}, expected a plain host name (one address, no {{s}})")
    missing = [name for name in ("{z}", "{x}", "{y}") if name not in url]
    if missing:
        faults.append(f"HENG_TILE_URL: {url!r}, expected {', '.join(missing)} in it")
    if "{key}" in url and not key:
        faults.append("HENG_TILE_KEY: missing, expected the key that HENG_TILE_URL asks for")
    return faults
