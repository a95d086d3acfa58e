"""What a reader shows and sounds: light, buzzer and text, as commands of libosdp.

A reader is only given what it says that it has. Counts of time are 100 ms each.
"""

from collections.abc import Iterator

import osdp_sys

from edge.control.offers import Colour, Feedback
from edge.drivers.osdp.station import Command, NotThereError, Station

_COLOURS: dict[Colour, int] = {
    "red": osdp_sys.LED_COLOR_RED,
    "green": osdp_sys.LED_COLOR_GREEN,
    "amber": osdp_sys.LED_COLOR_AMBER,
    "blue": osdp_sys.LED_COLOR_BLUE,
}


def show(station: Station, feedback: Feedback) -> list[str]:
    """Give it to a reader and return which parts the reader has; `NotThereError`. In the bus's thread."""
    if not station.secure:
        raise NotThereError(f"reader {station.name} has no secure session: {station.why}")
    shown = []
    for part, capability, command in _commands(feedback):
        if station.can(capability):
            station.submit(command)
            shown.append(part)
    return shown


def _commands(feedback: Feedback) -> Iterator[tuple[str, int, Command]]:
    ticks = round(feedback.seconds * 10)
    if feedback.colour is not None:
        led = {
            "command": osdp_sys.CMD_LED,
            "reader": 0,
            "led_number": 0,
            "temporary": True,
            "control_code": 2,
            "on_color": _COLOURS[feedback.colour],
            "off_color": osdp_sys.LED_COLOR_NONE,
            "on_count": 2 if feedback.blink else 10,
            "off_count": 2 if feedback.blink else 0,
            "timer_count": ticks,
        }
        yield "led", osdp_sys.CAP_READER_LED_CONTROL, led
    if feedback.beeps:
        buzzer = {
            "command": osdp_sys.CMD_BUZZER,
            "reader": 0,
            "control_code": 2,
            "on_count": 2,
            "off_count": 2,
            "rep_count": feedback.beeps,
        }
        yield "buzzer", osdp_sys.CAP_READER_AUDIBLE_OUTPUT, buzzer
    if feedback.text:
        text = {
            "command": osdp_sys.CMD_TEXT,
            "reader": 0,
            "control_code": 2,
            "temp_time": max(1, round(feedback.seconds)),
            "offset_row": 1,
            "offset_col": 1,
            "data": feedback.text,
        }
        yield "text", osdp_sys.CAP_READER_TEXT_OUTPUT, text
