"""How a person is shown: one way on every page."""

from collections.abc import Mapping

Who = Mapping[str, str]
"""Number of a person -> name, of those that who asks may see."""


def named(number: str, who: Who) -> str:
    """Return a person as pages show one: the name where who asks may see it, and the number."""
    name = who.get(number, "")
    return f"{name} · {number}" if name else number
