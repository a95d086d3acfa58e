"""What a contact says is read as its device declares it now."""

from edge.access.contacts import Points
from rules.access.words import Contact
from wire.layouts import make_layout
from wire.messages import PointDeclaration, Poll
from wire.status import PointKind

DOOR = make_layout(["gpio/door"], [0])


def declared(**states: str) -> PointDeclaration:
    states = {count.removeprefix("count_"): word for count, word in states.items()}
    return PointDeclaration(name="gpio/door", quantity="state", kind=PointKind.STATE, states=states)


def test_contact_that_is_declared_the_other_way_round_is_read_so_from_then_on() -> None:
    points = [declared(count_0="closed", count_1="open")]
    seen = Points(["gpio/door"], [], points=lambda: points, layouts=lambda: [DOOR])

    def says(count: int) -> Contact | None:
        (said,) = seen.look(Poll(layout=DOOR.id, tick=1, counts=[count]))
        return said.contact

    assert (says(0), says(1), says(2)) == (Contact.CLOSED, Contact.OPEN, Contact.UNKNOWN)
    points[:] = [declared(count_0="open", count_1="closed")]
    assert (says(0), says(1)) == (Contact.OPEN, Contact.CLOSED)
    points[:] = [declared(count_0="off", count_1="on")]
    assert says(0) is Contact.UNKNOWN
    points.clear()
    assert says(0) is Contact.UNKNOWN
