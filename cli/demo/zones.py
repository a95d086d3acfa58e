"""Rooms and doors of the demo's sites, as `[[site.zone]]` and `[[site.portal]]` of its site file.

The archive has a reader and a contact, and nothing that sees or measures: the page of coverage says so.
"""

from collections.abc import Mapping, Sequence

Table = Mapping[str, object]

ZONES: Mapping[str, Sequence[Table]] = {
    "lab-1": (
        {
            "name": "room-1",
            "title": "Calibration room 1",
            "covers": ["room-1"],
            "cameras": ["room-1/camera"],
            "readers": ["terminals/visitors"],
        },
        {
            "name": "room-2",
            "title": "Calibration room 2",
            "covers": [
                *("room-2/air", "room-2/bench", "room-2/surroundings"),
                *("room-2/air-conditioner", "room-2/humidifier"),
            ],
        },
        {"name": "store", "title": "Store", "covers": ["sensors/store"]},
        {"name": "archive", "title": "Archive"},
    ),
    "mobile-1": (
        {
            "name": "cabin",
            "title": "Cabin",
            "kind": "compartment",
            "covers": ["cabin"],
            "cameras": ["cabin/camera"],
        },
    ),
    "vehicle-1": ({"name": "load", "title": "Load", "kind": "compartment", "covers": ["load"]},),
}
"""Site -> its zones."""

PORTALS: Mapping[str, Sequence[Table]] = {
    "lab-1": (
        {
            "name": "entrance",
            "title": "Entrance",
            "from": "outside",
            "to": "room-1",
            "reader_in": "doors/entrance",
            "contact": "doors/entrance/contact",
            "lock": "doors/entrance/lock",
        },
        {
            "name": "archive",
            "title": "Door of the archive",
            "from": "room-1",
            "to": "archive",
            "reader_in": "doors/archive",
            "contact": "doors/archive/contact",
            "lock": "doors/archive/lock",
        },
        {
            "name": "between",
            "title": "Door between the rooms",
            "from": "room-1",
            "to": "room-2",
            "reader_in": "doors/between",
            "contact": "doors/between/contact",
            "lock": "doors/between/lock",
        },
        {"name": "store", "title": "Door of the store", "from": "room-2", "to": "store"},
    ),
    "mobile-1": ({"name": "cabin", "title": "Door of the cabin", "from": "outside", "to": "cabin"},),
    "vehicle-1": (
        {"name": "hatch", "title": "Rear hatch", "kind": "hatch", "from": "outside", "to": "load"},
    ),
}
"""Site -> its doors."""
