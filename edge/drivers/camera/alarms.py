"""Follows what a camera itself sees over ONVIF: motion in its picture, and being tampered with."""

import asyncio
import logging
from collections.abc import Sequence

from edge.driver import DeviceUnavailable, Emitter, Given, ticks
from edge.drivers.camera.onvif import Login, Onvif
from edge.drivers.camera.onvif_events_soap import Alarms, Notice
from wire.messages import Event
from wire.settings.camera import CameraDevice

LOG = logging.getLogger(__name__)
AGAIN_S = 30.0
"""So long after a failure the camera is asked for alarms again."""
_BEGUN = {"motion": "camera_motion", "tamper": "camera_tampered"}
_ENDED = {"motion": "camera_motion_ended", "tamper": "camera_tamper_ended"}


async def follow_alarms(settings: CameraDevice, login: Login, given: Given, *, emit: Emitter) -> None:
    """Tell the camera's alarms as they begin and end, until cancelled; nothing where it has none.

    An alarm that was on when the camera was lost has no end: nobody knows.
    """
    if settings.onvif is None or not settings.alarms:
        return
    while True:
        alarms = Alarms()

        async def heard(said: Sequence[Notice], alarms: Alarms = alarms) -> None:
            now_ns = given.monotonic_ns()
            for alarm in alarms.heard(said, now_ns):
                await _tell_alarm(_BEGUN[alarm], settings, now_ns, emit=emit)
            for alarm in alarms.ended(now_ns):
                await _tell_alarm(_ENDED[alarm], settings, now_ns, emit=emit)

        try:
            await Onvif(settings.onvif, login, monotonic_ns=given.monotonic_ns).alarms(heard)
        except DeviceUnavailable as error:
            LOG.info("%s: alarms: %s", settings.name, error.reason)
        await asyncio.sleep(AGAIN_S)


async def _tell_alarm(kind: str, settings: CameraDevice, now_ns: int, *, emit: Emitter) -> None:
    await emit.event(Event(kind, settings.prefix, ticks(now_ns), {}))
