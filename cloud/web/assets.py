"""Serves style sheets, scripts and the installed browser libraries, and says what a page may load.

Nothing comes from anywhere else: libraries are read from node_modules by a fixed list.
"""

from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from cloud.api.guard import GuardedRoute, anybody
from cloud.settings import SettingsError
from cloud.web.settings import Tiles, WebSettings

STATIC = Path(__file__).parent / "static"
SCRIPT = "text/javascript"
STYLE = "text/css"
LIBRARY_FILES = {
    "htmx.js": ("htmx.org/dist/htmx.min.js", SCRIPT),
    "uplot.js": ("uplot/dist/uPlot.esm.js", SCRIPT),
    "uplot.css": ("uplot/dist/uPlot.min.css", STYLE),
    "maplibre-gl.mjs": ("maplibre-gl/dist/maplibre-gl.mjs", SCRIPT),
    "maplibre-gl-worker.mjs": ("maplibre-gl/dist/maplibre-gl-worker.mjs", SCRIPT),
    "maplibre-gl.css": ("maplibre-gl/dist/maplibre-gl.css", STYLE),
}
"""Name under /static/lib/ -> file below node_modules, media type."""


def content_security_policy(tiles: Tiles) -> str:
    """Return the policy of every page: this hub alone, and the basemap's pictures when one is set."""
    tile_origins = "".join(f" {origin}" for origin in tiles.origins)
    return "; ".join(
        (
            "default-src 'self'",
            f"img-src 'self' data:{tile_origins}",
            f"connect-src 'self'{tile_origins}",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def library_faults(settings: WebSettings) -> list[str]:
    """Return a sentence for each browser library that is not installed."""
    paths = [settings.libraries / path for path, _ in LIBRARY_FILES.values()]
    return [f"{path}: missing, run make setup (npm ci)" for path in paths if not path.is_file()]


def mount_assets(app: FastAPI, settings: WebSettings) -> None:
    """Serve /static/; raises `SettingsError` when a library is not installed."""
    faults = library_faults(settings)
    if faults:
        raise SettingsError(faults)
    files = {name: (settings.libraries / path, kind) for name, (path, kind) in LIBRARY_FILES.items()}

    async def library(name: str) -> FileResponse:
        if name not in files:
            raise HTTPException(404)
        path, kind = files[name]
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
    router.add_api_route("/static/lib/{name}", anybody(library))
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
