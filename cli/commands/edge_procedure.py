"""`heng edge run DEVICE PROCEDURE [NAME=VALUE ...]`: has a running gateway carry out a declared procedure."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.commands.edge_ask import AskError, answer, refuse
from edge.local.asks import RunProcedure

_MARKS = {"command": ">", "answer": "<", "data": "<", "note": "#"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the words."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="an instrument; without: run the gateway")
    parser.add_argument("procedure", nargs="?", metavar="PROCEDURE", help="one of its declared procedures")
    parser.add_argument("arguments", nargs="*", metavar="NAME=VALUE", help="the procedure's arguments")


def run_procedure(data: Path, device: str, procedure: str | None, *, words: Sequence[str]) -> int:
    """Print the transcript as it grows, then answers and hash. 0 done, 1 not to its end, 2 wrong input."""
    if procedure is None:
        return refuse("run", f"{device}: expected a procedure behind the device", 2)
    arguments: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name or name in arguments:
            return refuse("run", f"{word}: expected NAME=VALUE, each name once", 2)
        arguments[name] = value
    try:
        ask = RunProcedure(device=device, procedure=procedure, arguments=arguments)
        done = answer(data, ask, show=_show)
    except AskError as error:
        return refuse("run", error, error.code)
    except KeyboardInterrupt:
        return refuse("run", "left; what has begun goes on to its end", 1)
    answers = done["answers"]
    assert isinstance(answers, list)
    for text in answers:
        print(text)
    print(f"sha256 {done['sha256']} of the first {done['bytes']} bytes of {done['file']}")
    return 0


def _show(line: Mapping[str, object]) -> None:
    heard = line["heard"]
    assert isinstance(heard, dict)
    print(f"  {_MARKS.get(heard['kind'], '?')} {heard['text']}", flush=True)
