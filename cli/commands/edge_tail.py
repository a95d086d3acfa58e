"""`heng edge tail`: shows what a running gateway reads, as it reads it."""

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from edge.tap import SOCKET_NAME

_WIDTH = 40


def tail(data: Path, *, match: str, as_json: bool, count: int | None) -> int:
    """Print lines until the gateway ends, `count` lines are shown or Ctrl-C; 1 when no gateway runs there.

    2 for a count below 1.
    """
    if count is not None and count < 1:
        print(f"heng edge tail: --count {count}: expected at least 1", file=sys.stderr)
        return 2
    place = data / SOCKET_NAME
    try:
        lines = _lines(place)
        with suppress(KeyboardInterrupt, BrokenPipeError):
            for line in lines:
                if match not in line:
                    continue
                print(line if as_json else shown(json.loads(line)), flush=True)
                if count is not None:
                    count -= 1
                    if count == 0:
                        break
    except (FileNotFoundError, ConnectionError) as error:
        print(f"heng edge tail: no gateway runs on {data} ({error.strerror})", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"heng edge tail: {place}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _lines(place: Path) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(place))
        with connection.makefile("r", encoding="utf-8") as stream:
            for line in stream:
                yield line.rstrip("\n")


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
