"""`heng modbus find`: finds the units on a Modbus line and reads each once, before a gateway has the line."""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from edge.drivers.modbus.bus import Bus, ConnectionLostError
from edge.drivers.modbus.find import Found, find
from edge.drivers.modbus.rtu import RtuBus
from edge.drivers.modbus.tcp import TcpBus
from wire.settings.check import check
from wire.settings.modbus import Baud, ModbusDevice, ModbusRtuDevice, SerialFormat

COMMON_BAUDS = (9600, 4800, 19200, 115200, 38400, 2400)
"""What devices leave the factory with, the most common one first."""
COMMON_FORMATS = ("8N1", "8E1")
_UNIT = {"address": 1, "profile": "xy-md02", "prefix": "unit"}


class _WrongError(Exception):
    """An argument is wrong; the text names it and what was expected."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("action", choices=["find"], help="find: which units are there, and what they read")
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--tcp", metavar="HOST[:PORT]", help="a converter or device that speaks Modbus TCP")
    line.add_argument("--serial", metavar="PATH", help="a serial port of this machine with an RS-485 adapter")
    parser.add_argument("--addresses", default="1-247", metavar="LIST", help="1-247 (default), or 1,5,10-20")
    parser.add_argument(
        "--baud", default=",".join(map(str, COMMON_BAUDS)), metavar="LIST", help="baud rates to try"
    )
    parser.add_argument("--format", default=",".join(COMMON_FORMATS), metavar="LIST", help="8N1, 8E1, ...")
    parser.add_argument(
        "--timeout-ms", type=int, default=200, metavar="MS", help="wait so long for an answer"
    )
    parser.add_argument("--all", action="store_true", help="go on to other rates when units were found")


def run(arguments: argparse.Namespace) -> int:
    """Find; 0 when a unit was found, 1 when none was or the line cannot be opened, 2 for wrong arguments."""
    try:
        addresses = _addresses(arguments.addresses)
        buses = list(_buses(arguments))
    except _WrongError as error:
        print(f"heng modbus find: {error}", file=sys.stderr)
        return 2
    timeout_s = arguments.timeout_ms / 1000
    longest_s = len(buses) * len(addresses) * (timeout_s + 0.01)
    print(
        f"asking {len(addresses)} address(es) with {len(buses)} setting(s): at most {longest_s:.0f} s",
        file=sys.stderr,
    )
    try:
        found = asyncio.run(_find(buses, addresses, timeout_s=timeout_s, everything=arguments.all))
    except ConnectionLostError as error:
        print(f"heng modbus find: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    print(f"{len(found)} unit(s) found", file=sys.stderr)
    return 0 if found else 1


async def _find(
    buses: Sequence[Bus], addresses: Sequence[int], *, timeout_s: float, everything: bool
) -> list[Found]:
    units: list[Found] = []
    progress = _Progress(len(addresses) * len(buses))
    for bus in buses:
        async with bus:
            async for found in find(bus, addresses, timeout_s=timeout_s, progress=progress.told):
                progress.clear()
                print(_shown(found), flush=True)
                if not found.trouble:
                    units.append(found)
        if units and not everything:
            break
    progress.clear()
    return units


def _shown(found: Found) -> str:
    lines = [f"unit {found.address} at {found.where}"]
    if found.trouble:
        lines.append(f"  cannot be read: {found.trouble}; another rate, or two units with one address?")
    elif not found.fits:
        lines.append("  answers; no profile of Heng fits, write its registers down as [[device.profile]]")
    for fit in found.fits:
        doubt = f"  (implausible: {', '.join(fit.odd)})" if fit.odd else ""
        lines.append(f"  as {fit.profile}: {', '.join(fit.values)}{doubt}")
    return "\n".join(lines)


@dataclass(slots=True)
class _Progress:
    """Says on a terminal where the search is; elsewhere once per setting."""

    whole: int
    asked: int = 0
    where: str = ""

    def told(self, where: str, address: int) -> None:
        self.asked += 1
        if sys.stderr.isatty():
            text = f"{100 * (self.asked - 1) // self.whole:3} %  {where}  address {address}"
            print(f"\r{text[:100]:<100}", end="", file=sys.stderr, flush=True)
        elif where != self.where:
            print(where, file=sys.stderr, flush=True)
        self.where = where

    def clear(self) -> None:
        if sys.stderr.isatty():
            print(f"\r{'':100}\r", end="", file=sys.stderr, flush=True)


def _buses(arguments: argparse.Namespace) -> Iterator[Bus]:
    if not 10 <= arguments.timeout_ms <= 60_000:
        raise _WrongError(f"--timeout-ms {arguments.timeout_ms}: expected 10 to 60000")
    common = {"name": "find", "timeout_ms": arguments.timeout_ms, "unit": [_UNIT]}
    if arguments.tcp:
        host, _, port = arguments.tcp.partition(":")
        if arguments.tcp.count(":") > 1:
            host, port = arguments.tcp, ""
        if port and not port.isdecimal():
            raise _WrongError(f"--tcp {arguments.tcp}: expected HOST or HOST:PORT")
        device, faults = check({**common, "host": host, "port": int(port or 502)}, ModbusDevice)
        if device is None:
            raise _WrongError(f"--tcp {faults[0]}")
        yield TcpBus(device)
        return
    for form in _listed("--format", arguments.format, get_args(SerialFormat)):
        for baud in _listed("--baud", arguments.baud, [str(one) for one in get_args(Baud)]):
            table = {**common, "path": arguments.serial, "baud": int(baud), "format": form}
            line, faults = check({**table, "late_ms": arguments.timeout_ms}, ModbusRtuDevice)
            if line is None:
                raise _WrongError(f"--serial {faults[0]}")
            yield RtuBus(line)


def _listed(option: str, text: str, allowed: Sequence[str]) -> list[str]:
    words = text.split(",")
    for word in words:
        if word not in allowed:
            raise _WrongError(f"{option} {word}: expected some of {', '.join(allowed)}")
    return words


def _addresses(text: str) -> list[int]:
    found: list[int] = []
    for word in text.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 247:
            raise _WrongError(f"--addresses {word}: expected numbers and ranges from 1 to 247")
        found += [address for address in range(first, last + 1) if address not in found]
    return found
