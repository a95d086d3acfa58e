"""Frees what libosdp's Python binding forgets: for each event a dictionary is made and a reference kept."""

import ctypes
import sys

_OURS = 2
"""References that `let_go` sees to what nobody else has: its own name, and that of the count."""


def let_go(made: list[dict[str, object]]) -> None:
    """Empty the list and free what was in it, which nobody else may know.

    What has one reference too many loses it; a binding that gives its own back leaves none to be taken.
    """
    while made:
        one = made.pop()
        if sys.getrefcount(one) > _OURS:
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(one))
