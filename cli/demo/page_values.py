"""The values that a page shows, read from its HTML as a browser would get it. It knows no style."""

from dataclasses import dataclass
from html.parser import HTMLParser

MINUS = "\u2212"
"""How pages write it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number in a table of values."""

    point: int
    exact: str
    """Every digit, without the unit."""
    at_ms: int


@dataclass(slots=True)
class Page:
    """What was found."""

    language: str
    values: list[Value]


def read(html: str) -> Page:
    """Return the language of a page and every number that it shows of a point."""
    reader = _Reader()
    reader.feed(html)
    return Page(reader.language, reader.values)


class _Reader(HTMLParser):
    """Rows are `<tr data-point>`, with a cell of class `value number` and a `<time data-at>`."""

    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.values: list[Value] = []
        self._point: int | None = None
        self._exact = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = given.get("lang", "")
        elif tag == "tr":
            self._point = int(given["data-point"]) if "data-point" in given else None
            self._exact = ""
        elif self._point is None:
            return
        elif tag == "td" and given.get("class", "").split() == ["value", "number"]:
            self._exact = given.get("title", "").split(" ")[0].replace(MINUS, "-")
        elif tag == "time" and self._exact and "data-at" in given:
            self.values.append(Value(self._point, self._exact, int(given["data-at"])))
