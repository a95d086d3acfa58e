"""The words of the pages about devices and coverage: kinds, states, causes. No markup, no data."""

from cloud.web.language import Language
from cloud.web.reasons import say_reason
from cloud.web.why import Why
from cloud.web.words import CAUSE_WORDS, NOT_HEARD, mark

DRIVERS = {
    "modbus": mark("Modbus TCP"),
    "modbus-rtu": mark("Modbus RTU"),
    "gnss": mark("GNSS receiver"),
    "ups": mark("Uninterruptible supply"),
    "sysfs": mark("Sensors of the board"),
    "network": mark("Network uplink"),
    "osdp": mark("Readers on OSDP"),
    "wiegand": mark("Reader on Wiegand"),
    "terminal": mark("Access terminals"),
    "ble": mark("Bluetooth radio"),
    "instrument": mark("Instrument"),
    "camera": mark("Camera"),
    "gpio": mark("Contacts and relays"),
    "senml": mark("Sensors on the LAN"),
    "unknown": mark("Kind not told"),
}
PARTS = {
    "unit": mark("Unit on a bus"),
    "sensor": mark("Sensor"),
    "tag": mark("Tag"),
    "badge": mark("Badge"),
    "reader": mark("Reader"),
    "terminal": mark("Terminal"),
    "camera": mark("Camera"),
    "door_contact": mark("Door contact"),
    "request_to_exit": mark("Exit button"),
    "fire_release": mark("Fire release"),
    "tamper": mark("Tamper contact"),
    "ignition": mark("Ignition"),
    "relay": mark("Relay"),
    "beeper": mark("Beeper"),
    "lamp": mark("Lamp"),
}
STATES = {
    "working": ("good", mark("Working")),
    "partly": ("partly", mark("Partly silent")),
    "silent": ("bad", mark("Silent")),
    "never": ("unmonitored", mark("Never heard")),
    "unmonitored": ("unmonitored", mark("Without points")),
}
"""State of a device -> shape and colour, word."""
COVERS = {
    "live": ("good", mark("Live now")),
    "partly": ("partly", mark("Partly live")),
    "silent": STATES["silent"],
    "never": STATES["never"],
    "missing": ("unmonitored", mark("No gateway has it")),
    "unmonitored": STATES["unmonitored"],
    "none": ("unmonitored", mark("None")),
}
"""State of a cell of the matrix, or of one thing in it -> shape and colour, word."""
CAUSES = {
    **CAUSE_WORDS,
    "offline": NOT_HEARD,
    "no_value": mark("it answers, and no value is good"),
    "session_lost": mark("no secure session with the reader"),
    "line_low": mark("wires of the reader low"),
    "frozen": mark("the picture is frozen"),
}
CLOCKS = {
    "synchronised": mark("synchronised"),
    "holdover": mark("in holdover"),
    "unsynchronised": mark("not known"),
}
COLUMNS = {
    "camera": mark("Camera"),
    "temperature": mark("Temperature"),
    "humidity": mark("Humidity"),
    "pressure": mark("Pressure"),
    "other": mark("Other sensors"),
    "contact": mark("Door contact"),
    "reader": mark("Reader"),
    "presence": mark("Presence"),
}
LACKS = {"camera": mark("no camera"), "sensor": mark("no sensor"), "reader": mark("no reader")}
ZONES = {"room": mark("Room"), "compartment": mark("Compartment"), "cabinet": mark("Cabinet")}
AND = mark(", ")
"""Between the things of a list."""


def joined(language: Language, words: list[str]) -> str:
    """Return words as a list in the page's language."""
    return language.say(AND).join(words)


def why_of(language: Language, cause: str | None, reason: str, *, since_ms: int | None) -> Why | None:
    """Return why something is not as it should be, for the page; None when nothing is known of it."""
    if cause is None and not reason and since_ms is None:
        return None
    word = language.say(CAUSES[cause]) if cause in CAUSES else ""
    return Why(word, say_reason(language, reason), since_ms)
