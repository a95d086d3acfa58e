"""Warns of certificates that end and that no program renews: in the log once a day, and in `/ready`.

Each process looks at the files that it was given; those of the authority are seen where enrolment runs.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cloud.enrol.settings import read_enrol_settings
from cloud.media.settings import read_media_settings
from cloud.settings import HubSettings
from provisioning import ends, identity
from provisioning.ends import AUTHORITY_WARNING, End, end_of
from provisioning.errors import IdentityError

_log = logging.getLogger(__name__)
LOOK_S = 3600.0
AGAIN = timedelta(days=1)
PAGES_WARNING = timedelta(days=14)
"""The certificate of the pages may be one of those that are renewed every few weeks."""

Look = Callable[[], list[End]]


class Endings:
    """What ends soon, as it was at the last look."""

    def __init__(self, looks: Sequence[Look], now: Callable[[], datetime]) -> None:
        self._looks = looks
        self._now = now
        self._near: list[End] = []
        self._told: dict[str, datetime] = {}

    async def run(self, up: Callable[[], None]) -> None:
        """Look once an hour until cancelled."""
        up()
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Look at the files now, and log what ends soon and was not told for a day."""
        now = self._now()
        found: dict[str, End] = {}
        for look in self._looks:
            try:
                found |= {one.what: one for one in look()}
            except IdentityError as error:
                _log.warning("certificates: %s", error)
        self._near = sorted((one for one in found.values() if one.is_near(now)), key=lambda one: one.at)
        for one in self._near:
            told = self._told.get(one.what)
            if told is None or now - told >= AGAIN:
                self._told[one.what] = now
                _log.warning("certificates: %s", one.told(now))

    def near(self) -> list[End]:
        """Return what ends soon, the first to end first."""
        return self._near


def looks_of(settings: HubSettings, rooms: tuple[str, ...], environment: Mapping[str, str]) -> list[Look]:
    """Return what there is to look at for these rooms; the settings are right, they were read before."""
    worker = settings.identity
    looks: list[Look] = [
        lambda: [
            end_of("certificate of this worker", worker / identity.TLS_CERTIFICATE, "heng ca issue hub"),
            end_of("root CA", worker / identity.CA, ends.ANEW, warning=AUTHORITY_WARNING),
        ]
    ]
    if "est" in rooms and (enrol := read_enrol_settings(environment)) is not None:
        folder = enrol.authority
        looks.append(lambda: ends.of_authority(folder))
    if "web" in rooms:
        if settings.certificate is not None:
            looks.append(_one("certificate of the pages", settings.certificate, PAGES_WARNING))
        if (media := read_media_settings(environment)) is not None:
            file = media.certificate / identity.TLS_CERTIFICATE
            looks.append(_one("certificate of the media listener", file, ends.LEAF_WARNING))
    return looks


def _one(what: str, file: Path, warning: timedelta) -> Look:
    return lambda: [end_of(what, file, f"put a new one to {file}", warning=warning)]
