"""What a binding forgot is freed, and nothing else."""

import ctypes
import weakref

from edge.drivers.osdp.leftovers import let_go


class Known(dict[str, object]):
    """A dictionary whose end can be seen."""


def test_dictionary_with_a_forgotten_reference_is_freed() -> None:
    made: list[dict[str, object]] = [Known()]
    seen = weakref.ref(made[0])
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made[0]))
    let_go(made)
    assert not made
    assert seen() is None


def test_dictionary_that_nobody_forgot_is_freed_once() -> None:
    made: list[dict[str, object]] = [Known(), Known()]
    seen = [weakref.ref(one) for one in made]
    let_go(made)
    assert [one() for one in seen] == [None, None]
