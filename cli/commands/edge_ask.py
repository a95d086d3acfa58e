"""Asks a running gateway through the local socket of its data folder, for all subcommands that do."""

import json
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from edge.local.asks import SOCKET_NAME, Ask

Line = Mapping[str, object]


class AskError(Exception):
    """There is no answer; the text says why. `code` is the exit code: 1 it was not done, 2 wrongly asked."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class NobodyThereError(AskError):
    """No gateway runs on the data folder."""


def asked(data: Path, ask: Ask) -> Iterator[str]:
    """Yield the lines of an answer as they come, the last one too; `AskError` when there is no gateway.

    Who closes the generator leaves, and the gateway ends what it does for him.
    """
    place = data / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(place))
            connection.sendall(msgspec.json.encode(ask) + b"\n")
        except (FileNotFoundError, ConnectionError) as error:
            raise NobodyThereError(f"no gateway runs on {data} ({error.strerror})", 1) from None
        except OSError as error:
            raise AskError(f"{place}: {error.strerror or error}", 1) from None
        with connection.makefile("r", encoding="utf-8") as stream, suppress(ConnectionError):
            for line in stream:
                yield line.rstrip("\n")


def answer(data: Path, ask: Ask, *, show: Callable[[Line], None] = lambda line: None) -> Line:
    """Return what was done, having shown what came before; `AskError`."""
    for text in asked(data, ask):
        line = json.loads(text)
        if "done" in line:
            done: Line = line["done"]
            if done.get("durable") is False:
                print("done, but not recorded yet: the gateway's disk takes nothing now", file=sys.stderr)
            return done
        if "failed" in line:
            raise AskError(line["failed"], 2 if line["wrong"] else 1)
        show(line)
    raise AskError("the gateway ended, or its log says why it gave no answer", 1)


def refuse(word: str, text: object, code: int) -> int:
    """Say on the error output why a subcommand did nothing; returns the code."""
    print(f"heng edge {word}: {text}", file=sys.stderr)
    return code
