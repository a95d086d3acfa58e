"""`heng edge tail`: shows what a running gateway reads, as it reads it."""

import argparse
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cli.commands.edge_ask import AskError, asked, refuse
from edge.local.asks import Look

_WIDTH = 40


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--match", default="", metavar="TEXT", help="only lines that hold this text")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--count", type=int, metavar="N", help="end after so many lines")


def tail(data: Path, *, match: str, as_json: bool, count: int | None) -> int:
    """Print lines until the gateway ends, `count` lines are shown or Ctrl-C; 1 when no gateway runs there.

    2 for a count below 1.
    """
    if count is not None and count < 1:
        return refuse("tail", f"--count {count}: expected at least 1", 2)
    try:
        with suppress(KeyboardInterrupt, BrokenPipeError):
            for text in asked(data, Look()):
                line = json.loads(text)
                if "failed" in line:
                    return refuse("tail", line["failed"], 1)
                if match not in text:
                    continue
                print(text if as_json else shown(line), flush=True)
                if count is not None:
                    count -= 1
                    if count == 0:
                        break
    except AskError as error:
        return refuse("tail", error, error.code)
    return 0


def shown(line: Mapping[str, object]) -> str:
    """Return one line as a person reads it."""
    if "missed" in line:
        return f"… {line['missed']} lines were not shown: they came faster than they were read"
    at = str(line["at"] or "-")
    if "point" in line:
        value = "absent" if line["value"] is None else f"{line['value']} {line['unit']}".rstrip()
        status = "" if line["status"] == "good" else f"  ({str(line['status']).replace('_', ' ')})"
        return f"{at}  {line['point']!s:<{_WIDTH}}  {value}{status}"
    if "position" in line:
        where = "no fix" if line["latitude"] is None else f"{line['latitude']} {line['longitude']}"
        return f"{at}  {line['position']!s:<{_WIDTH}}  {where}"
    if "event" in line:
        return (
            f"{at}  event {line['event']} {line['subject']}  {json.dumps(line['data'], ensure_ascii=False)}"
        )
    span = f"{line['from'] or 'the last reading'} to {line['to'] or 'now'}"
    return f"{at}  {line['gap']!s:<{_WIDTH}}  silent ({line['cause']}: {line['reason']}) from {span}"
