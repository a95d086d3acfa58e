"""`heng edge pair` and `heng edge show`: put a reader into service, and show something at it."""

import argparse
from pathlib import Path

from cli.commands.edge_ask import AskError, answer, refuse
from edge.local.asks import ListOutputs, PairReader, ShowFeedback


def configure_pair(parser: argparse.ArgumentParser) -> None:
    """Add the words."""
    parser.add_argument("device", metavar="DEVICE", help="the line of readers")
    parser.add_argument("reader", metavar="READER", help="one of its readers")


def configure_show(parser: argparse.ArgumentParser) -> None:
    """Add the words and options."""
    parser.add_argument(
        "device",
        nargs="?",
        metavar="DEVICE",
        help="the line of readers; without: show the outputs that are not where they rest",
    )
    parser.add_argument("reader", nargs="?", metavar="READER", help="one of its readers")
    parser.add_argument("--text", default="", metavar="TEXT", help="at most 32 printable ASCII characters")
    parser.add_argument("--led", choices=["red", "green", "amber", "blue"], help="colour of the light")
    parser.add_argument("--blink", action="store_true", help="the light blinks")
    parser.add_argument("--buzzer", type=int, nargs="?", const=1, default=0, metavar="N", help="N beeps")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="how long (default: 2)")


def pair(data: Path, arguments: argparse.Namespace) -> int:
    """Pair and say how it goes. 0 paired and a session with the new key is up, 1 not, 2 wrong input."""
    ask = PairReader(device=arguments.device, reader=arguments.reader)
    try:
        answer(data, ask, show=lambda line: print(line["tell"], flush=True))
    except AskError as error:
        return refuse("pair", error, error.code)
    except KeyboardInterrupt:
        return refuse("pair", "left; the reader may not be paired any more", 1)
    print(f"{arguments.device}/{arguments.reader}: paired")
    return 0


def show(data: Path, arguments: argparse.Namespace) -> int:
    """Show and say which parts the reader has. 0 shown, 1 not, 2 wrong input.

    Without a device: say which outputs are not in the state in which they were declared to rest.
    """
    if arguments.device is None and not (arguments.text or arguments.led or arguments.buzzer):
        return _away(data)
    if arguments.device is None or arguments.reader is None:
        return refuse("show", "expected DEVICE and READER, at which it is to be shown", 2)
    ask = ShowFeedback(
        device=arguments.device,
        reader=arguments.reader,
        colour=arguments.led,
        blink=arguments.blink,
        seconds=arguments.seconds,
        beeps=arguments.buzzer,
        text=arguments.text,
    )
    try:
        done = answer(data, ask)
    except AskError as error:
        return refuse("show", error, error.code)
    shown, missing = (", ".join(map(str, _words(done[key]))) for key in ("shown", "missing"))
    print(f"{arguments.device}/{arguments.reader}: {shown}" + (f"; it has no {missing}" if missing else ""))
    return 0


def _away(data: Path) -> int:
    try:
        away = answer(data, ListOutputs()).get("away", {})
    except AskError as error:
        return refuse("show", error, error.code)
    assert isinstance(away, dict)
    for name, text in away.items():
        print(f"{name}: {text}")
    if not away:
        print("every output is where it was declared to rest, as far as that is declared")
    return 0


def _words(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
