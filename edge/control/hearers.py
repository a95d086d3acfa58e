"""Who wants to know that something changed."""

from collections.abc import Callable


class Hearers:
    """Called one after the other, in the loop; must neither block nor raise."""

    def __init__(self) -> None:
        self._calls: list[Callable[[], None]] = []

    def add(self, call: Callable[[], None]) -> None:
        """Have this called from now on."""
        self._calls.append(call)

    def tell(self) -> None:
        """Something changed."""
        for call in self._calls:
            call()
