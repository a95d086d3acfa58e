"""What the demo gateways control: interlocks, doors, equipment and regulation, as sections of settings.

Limits are wide of what the simulated rooms do by themselves; `heng scenario` makes them leave those limits.
"""

from collections.abc import Mapping, Sequence

Table = Mapping[str, object]
Sections = Mapping[str, Sequence[Table]]
"""Name of a section -> its tables."""

CLIMATE, GAS, STANDING, POWER = "room-2 climate", "room-1 gas", "vehicle stands", "cabin power"
"""The interlocks, by name."""
AMBIENT_HIGH = "26"
_RADIO_S = 15
"""So long may what is read each second be silent before it votes."""


def _warm(name: str) -> Table:
    limits = {"low": "12", "high": AMBIENT_HIGH, "deadband": "0.5", "guarded": False}
    times = {"on_delay_s": 2, "off_delay_s": 3, "stale_after_s": _RADIO_S}
    return {"kind": "limit", "name": name, "point": f"room-2/{name}/temperature", **limits, **times}


_CLIMATE: Table = {
    "name": CLIMATE,
    "title": "Climate of calibration room 2",
    "group": [
        {
            "name": "temperature",
            "needed": 2,
            "cause": [_warm("air"), _warm("bench"), _warm("cabinet")],
        }
    ],
    "effect": [
        {"kind": "hold_work", "target": "room-2"},
        {"kind": "lock_entry", "target": "between"},
        {"kind": "inhibit_output", "target": "doors/source"},
    ],
    "fit": [
        {
            "point": "room-2/air/temperature",
            "low": "12",
            "high": AMBIENT_HIGH,
            "spread_max": "2",
            "rate_max_per_h": "1000",
            "window_s": 4,
            "time_s": 6,
            "guarded": False,
        }
    ],
    "proof": {"every_days": 180},
}
_GAS: Table = {
    "name": GAS,
    "title": "Gas in calibration room 1",
    "group": [
        {
            "name": "gas",
            "cause": [
                {
                    "kind": "state",
                    "name": "alarm",
                    "point": "room-1/gas/gas_alarm",
                    "normal": ["off"],
                    "off_delay_s": 3,
                    "stale_after_s": _RADIO_S,
                    "bypassable": False,
                },
                {
                    "kind": "limit",
                    "name": "concentration",
                    "point": "room-1/gas/gas_concentration",
                    "high": "1000",
                    "deadband": "100",
                    "guarded": False,
                    "off_delay_s": 3,
                    "stale_after_s": _RADIO_S,
                    "bypassable": False,
                },
            ],
        }
    ],
    "effect": [
        {"kind": "isolate_power", "target": "doors/power"},
        {"kind": "hold_work", "target": "room-1"},
        {"kind": "lock_entry", "target": "entrance"},
    ],
}
_STANDING: Table = {
    "name": STANDING,
    "title": "The mobile laboratory stands",
    "group": [
        {
            "name": "motion",
            "cause": [
                {
                    "kind": "state",
                    "name": "moving",
                    "point": "gnss/hold",
                    "normal": ["held"],
                    "off_delay_s": 3,
                    "stale_after_s": 30,
                }
            ],
        }
    ],
    "effect": [
        {"kind": "hold_work", "target": "cabin"},
        {"kind": "inhibit_output", "target": "cabin/source"},
    ],
}
_POWER: Table = {
    "name": POWER,
    "title": "Power of the cabin",
    "group": [
        {
            "name": "mains",
            "cause": [
                {
                    "kind": "state",
                    "name": "on battery",
                    "point": "power/power",
                    "normal": ["mains"],
                    "off_delay_s": 3,
                    "stale_after_s": 30,
                }
            ],
        }
    ],
    "effect": [{"kind": "hold_work", "target": "cabin"}],
}


def _door(name: str, **more: object) -> Table:
    part = f"doors/{name}"
    return {
        "name": name,
        "reader_in": part,
        "lock_output": f"{part}/lock",
        "contact_point": f"{part}/contact",
        "exit_button_point": f"{part}/button",
        **more,
    }


SECTIONS: Mapping[str, Sections] = {
    "lab-1": {
        "control": [{"enable_output": "doors/lamp"}],
        "interlock": [_CLIMATE, _GAS],
        "portal": [_door("entrance"), _door("archive"), _door("between")],
        "equipment": [{"id": "bench-2", "output": "doors/bench"}],
        "regulation": [
            {"name": "room-2-cooler", "output": "room-2/air-conditioner/ac_on", "otherwise": 1},
            {
                "name": "room-2-set-point",
                "output": "room-2/air-conditioner/ac_setpoint",
                "when": [{"value": 20, "job": "room-2"}],
                "point": "room-2/air/temperature",
                "low": 14,
                "high": 24,
                "call_after_s": 30,
                "correction": {"step": 1, "every_s": 5, "most": 3},
            },
        ],
    },
    "mobile-1": {"interlock": [_STANDING, _POWER]},
}
"""Gateway -> sections of its settings."""
ARRAYS = ("interlock", "portal", "equipment", "regulation")
"""Sections of which there may be several tables."""


def tables_of(gateway: str) -> Sequence[tuple[str, Table]]:
    """Return heading and table of everything that a gateway controls."""
    return [
        (f"[[{name}]]" if name in ARRAYS else f"[{name}]", table)
        for name, tables in SECTIONS.get(gateway, {}).items()
        for table in tables
    ]
