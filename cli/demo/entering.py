"""Enters what the demo begins with, over the hub's API, as an administrator would."""

from collections.abc import Mapping
from typing import Any

from cli.demo.web import Answer, Visitor

_LISTED = "?limit=1000"


class EnteringError(Exception):
    """The hub did not take something; the text says what it answered."""


class Entering:
    """Somebody who enters things."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def items(self, path: str) -> list[dict[str, Any]]:
        """Return the items of a list; `EnteringError`."""
        answer = await self._visitor.get(f"{path}{_LISTED}")
        if answer.status != 200:
            raise EnteringError(_said(path, answer))
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def send(
        self, method: str, path: str, body: Mapping[str, object], *, unless: str | None = None
    ) -> None:
        """Send something; `EnteringError` unless it was taken, or the answer holds `unless`."""
        answer = await self._visitor.send(method, path, body)
        if answer.status >= 300 and (unless is None or unless not in answer.text):
            raise EnteringError(_said(f"{method} {path}", answer))


def _said(what: str, answer: Answer) -> str:
    return f"{what}: status {answer.status}: {answer.text[:300]}"
