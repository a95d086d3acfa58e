"""Who waits for news: gateways that ask what is wanted, and when each was heard last."""

import asyncio
from collections.abc import Callable

HEARD_S = 60.0
"""A gateway that asked within this time is listening."""


class Waiters:
    """The gateways that come to the media listener."""

    def __init__(self, *, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._heard: dict[str, float] = {}
        self._news: dict[str, asyncio.Event] = {}

    def heard(self, gateway: str) -> None:
        """Note that a gateway asked what is wanted."""
        self._heard[gateway] = self._monotonic_s()

    def listening(self, gateway: str) -> bool:
        """Whether a gateway would soon hear what is wanted."""
        heard = self._heard.get(gateway)
        return heard is not None and self._monotonic_s() - heard < HEARD_S

    def news(self, gateway: str) -> asyncio.Event:
        """Return what is set when something else may be wanted of a gateway; take it before looking."""
        return self._news.setdefault(gateway, asyncio.Event())

    def wake(self, gateway: str) -> None:
        """Say that something else may be wanted of a gateway."""
        if (event := self._news.pop(gateway, None)) is not None:
            event.set()
