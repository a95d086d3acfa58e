"""Alarms of a camera on paper: subscribing to its ONVIF events, pulling them, and what of them counts.

Only what a camera says of motion in its picture and of being tampered with is looked at; a state that begins
is told at once, its end when it has lasted a while. No connection, no clock. Sources: ONVIF Core (real-time
pull-point notification), Imaging and Analytics (topics); WS-Addressing 1.0.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from edge.drivers.camera.onvif_soap import SoapError, elements, path_of, text_in

EVENTS = "http://www.onvif.org/ver10/events/wsdl"
CREATE, PULL = (
    f"{EVENTS}/EventPortType/CreatePullPointSubscriptionRequest",
    (f"{EVENTS}/PullPointSubscription/PullMessagesRequest"),
)
CALM_NS = 10_000_000_000
"""So long nothing may be said of an alarm before its end is told."""
SOURCES_MAX = 64
Alarm = Literal["motion", "tamper"]
_TOPICS: Mapping[str, Alarm] = MappingProxyType(
    {
        "VideoSource/MotionAlarm": "motion",
        "RuleEngine/CellMotionDetector/Motion": "motion",
        "RuleEngine/MotionRegionDetector/Motion": "motion",
        "RuleEngine/TamperDetector/Tamper": "tamper",
        "VideoSource/GlobalSceneChange/AnalyticsService": "tamper",
        "VideoSource/GlobalSceneChange/ImagingService": "tamper",
        "VideoSource/GlobalSceneChange/RecordingService": "tamper",
    }
)
_STATES = frozenset({"State", "IsMotion", "IsTamper"})
_TRUE = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that a camera said: an alarm of one of its sources is on or off."""

    alarm: Alarm
    source: str
    on: bool


def create() -> str:
    """Ask for a place to pull from."""
    return f'<CreatePullPointSubscription xmlns="{EVENTS}"/>'


def pull(seconds: int) -> str:
    """Ask for what happened, and to wait for it when nothing did."""
    inside = f"<Timeout>PT{seconds}S</Timeout><MessageLimit>50</MessageLimit>"
    return f'<PullMessages xmlns="{EVENTS}">{inside}</PullMessages>'


def addressing(action: str, to: str) -> str:
    """Return the headers by which cameras tell subscriptions apart."""
    space = 'xmlns:a="http://www.w3.org/2005/08/addressing"'
    return f"<a:Action {space}>{action}</a:Action><a:To {space}>{escape(to)}</a:To>"


def pull_point(body: Element) -> tuple[str, str]:
    """Return the path to pull from, and the address as the camera wrote it; `SoapError`."""
    for reference in elements(body, "SubscriptionReference"):
        address = text_in(reference, "Address")
        if (path := path_of(address)) is not None:
            return path, address
    raise SoapError("the camera gives no place to pull alarms from")


def notices(body: Element) -> Iterator[Notice]:
    """Yield what counts, in order; everything else a camera says is passed over."""
    for message in elements(body, "NotificationMessage"):
        topic = re.sub(r"[\w.-]+:", "", text_in(message, "Topic"))
        if (alarm := _TOPICS.get(topic)) is None:
            continue
        source = "/".join(item.get("Value", "") for part in elements(message, "Source") for item in part)
        for data in elements(message, "Data"):
            for item in data:
                if item.get("Name") in _STATES:
                    yield Notice(alarm, f"{topic} {source}"[:200], item.get("Value") in _TRUE)


class Alarms:
    """Which alarms are on, over all sources of a camera."""

    def __init__(self) -> None:
        self._on: dict[Alarm, set[str]] = {"motion": set(), "tamper": set()}
        self._told: set[Alarm] = set()
        self._calm_ns: dict[Alarm, int] = {}

    def heard(self, said: Sequence[Notice], now_ns: int) -> list[Alarm]:
        """Take what a camera said; returns the alarms that have begun."""
        begun: list[Alarm] = []
        for notice in said:
            sources = self._on[notice.alarm]
            if notice.on and len(sources) < SOURCES_MAX:
                sources.add(notice.source)
                self._calm_ns.pop(notice.alarm, None)
                if notice.alarm not in self._told:
                    self._told.add(notice.alarm)
                    begun.append(notice.alarm)
            elif not notice.on:
                sources.discard(notice.source)
                if not sources and notice.alarm in self._told:
                    self._calm_ns.setdefault(notice.alarm, now_ns)
        return begun

    def ended(self, now_ns: int) -> list[Alarm]:
        """Return the alarms that have been off long enough."""
        over = [alarm for alarm, since_ns in self._calm_ns.items() if now_ns - since_ns >= CALM_NS]
        for alarm in over:
            del self._calm_ns[alarm]
            self._told.discard(alarm)
        return over
