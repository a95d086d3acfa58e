"""`heng scenario NAME`: something happens in a running demo; tells what is seen, 0 when all was expected."""

import argparse
import asyncio
import sys
from pathlib import Path

from cli.demo.running import Found, NotRunningError, find
from cli.demo.stories.scenes import SCENES, play
from cli.demo.stories.teller import NotSeenError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's words."""
    told = "; ".join(f"{name}: {scene.title}" for name, scene in SCENES.items())
    parser.epilog = told
    parser.add_argument("name", choices=[*SCENES, "all"], metavar="NAME", help=", ".join([*SCENES, "all"]))
    parser.add_argument(
        "--data", type=Path, default=Path("data"), metavar="DIR", help="of the demo (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Play; 1 when something that was expected was not seen, 2 when no demo runs there."""
    try:
        found = find(arguments.data.absolute())
    except NotRunningError as error:
        print(f"heng scenario: {error}", file=sys.stderr)
        return 2
    names = list(SCENES) if arguments.name == "all" else [arguments.name]
    return asyncio.run(_play(found, names))


async def _play(found: Found, names: list[str]) -> int:
    failed = 0
    for name in names:
        print(f"{name}: {SCENES[name].title}", flush=True)
        try:
            await play(name, found, lambda text: print(text, flush=True))
        except NotSeenError as error:
            failed += 1
            print(f"heng scenario: {name}: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{name}: everything was seen as expected", flush=True)
    return 1 if failed else 0
