"""Locks and equipment are set through doors and enablement alone: what anybody else asks is refused.

Else a right to set outputs would open a door that a lock-down or an interlock keeps shut.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_OWNER: ContextVar[bool] = ContextVar("owner of doors", default=False)


@contextmanager
def as_owner() -> Iterator[None]:
    """What is set within is set by who decided it."""
    before = _OWNER.set(True)
    try:
        yield
    finally:
        _OWNER.reset(before)


class Owned:
    """Guards the outputs of doors and equipment (`edge.control.outputs.Guard`)."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        """Output -> whose it is."""
        self._owners = dict(owners)

    def __call__(self, output: str) -> str | None:
        """Return why an output may not leave its safe state; None: nothing is against it."""
        owner = self._owners.get(output)
        return None if owner is None or _OWNER.get() else f"{owner} alone sets it"
