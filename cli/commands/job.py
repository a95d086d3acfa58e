"""`heng job`: plan jobs, begin, release and finish them, write their records; each act is audited."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from cli.commands.people import at_the_machine
from cli.database import add_database_options, chosen_database
from cloud import job_acts
from cloud.identity.acts import Act, ActError
from cloud.job_acts import JobRefusedError, NewLimits, Plan
from cloud.job_facts import TooLongError, record_of
from cloud.job_reasons import sentence
from cloud.job_view import RecordView, record_csv, view_record
from cloud.store import accounts, jobs
from cloud.store.connection import Connection, open_connection
from cloud.store.jobs import KeptJob, LogLine
from cloud.store.migrate import SchemaError, check_version
from cloud.store.sites import find_site

Run = Callable[[Connection, argparse.Namespace], Awaitable[None]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare `list`, `method`, `plan`, `start`, `release`, `finish` and `record`."""
    words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    listed = words.add_parser("list", help="jobs, the last made first")
    listed.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    listed.set_defaults(act=_list)
    method = words.add_parser("method", help="keep the next version of a method's limits")
    method.add_argument("method", metavar="METHOD")
    method.add_argument("--organisation", required=True, metavar="NAME")
    method.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="QUANTITY:LOW:HIGH",
        help="both bounds belong to the range; an empty one is none",
    )
    method.add_argument("--people", type=int, default=2, metavar="N", help="at least (default: %(default)s)")
    method.add_argument("--activity", action="append", default=[], help="people must be authorised for it")
    method.add_argument("--why", required=True, metavar="TEXT")
    method.set_defaults(act=_method)
    plan = words.add_parser("plan", help="plan a job")
    plan.add_argument("number", metavar="NUMBER", help="by what it is known")
    plan.add_argument("--method", required=True, metavar="METHOD:VERSION")
    plan.add_argument("--zone", required=True, metavar="SITE/ZONE")
    plan.add_argument("--person", action="append", default=[], metavar="NUMBER")
    plan.add_argument("--instrument", action="append", default=[], metavar="NAME")
    for name in ("from", "to"):
        plan.add_argument(f"--{name}", required=True, type=_moment, metavar="TIME", help="RFC 3339")
    plan.set_defaults(act=_plan)
    _configure_acts(words)
    for one in words.choices.values():
        add_database_options(one, owner=False)


def _configure_acts(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for word, text, act in (
        ("start", "begin the work", _start),
        ("release", "let held work go on", _release),
        ("finish", "end the work", _finish),
        ("record", "write the record as it is computed now", _record),
    ):
        one = words.add_parser(word, help=text)
        one.add_argument("number", metavar="NUMBER")
        one.set_defaults(act=act)
    for word in ("start", "release"):
        words.choices[word].add_argument(
            "--present",
            action="append",
            default=[],
            metavar="NUMBER",
            help="where no door tells who is there",
        )
    words.choices["release"].add_argument("--why", required=True, metavar="TEXT")
    words.choices["finish"].add_argument("--why", default="", metavar="TEXT", help="needed for held work")
    words.choices["record"].add_argument(
        "--out", type=Path, metavar="FILE", help="ends with .csv or .json; printed as JSON if left out"
    )


def run(arguments: argparse.Namespace) -> int:
    """Act; 1 when it is refused or the database is away, 2 for bad input."""
    url = chosen_database(arguments, "job")
    if url is None:
        return 2
    try:
        asyncio.run(_run(arguments, url))
    except JobRefusedError as error:
        print(f"heng job: not done: {sentence(error.refused)}", file=sys.stderr)
        return 1
    except (ActError, TooLongError, SchemaError, psycopg.Error, OSError) as error:
        print(f"heng job: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(arguments: argparse.Namespace, url: str) -> None:
    act: Run = arguments.act
    async with open_connection(url, "job") as connection:
        await check_version(connection)
        async with connection.transaction():
            await act(connection, arguments)


async def _list(connection: Connection, arguments: argparse.Namespace) -> None:
    rows = [("job", "state", "method", "zone", "people", "holds")]
    rows += [
        (
            one.job.id,
            str(one.job.state),
            f"{one.job.method}, version {one.job.limits_version}",
            f"{one.site}/{one.job.zone}",
            " ".join(one.job.people),
            str(len(one.job.holds)),
        )
        for one in await jobs.list_jobs(connection, limit=max(1, arguments.limit))
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


async def _method(connection: Connection, arguments: argparse.Namespace) -> None:
    bodies = await accounts.all_organisations(connection)
    body = next((id_ for id_, name in bodies.items() if name == arguments.organisation), None)
    if body is None:
        raise ActError("organisation", arguments.organisation, f"one of {', '.join(bodies.values())}")
    limits = [_limit(one) for one in arguments.limit]
    new = NewLimits(arguments.method, limits, arguments.people, arguments.activity, arguments.why)
    print(f"version: {await job_acts.add_limits(_act(connection), body, new)}")


async def _plan(connection: Connection, arguments: argparse.Namespace) -> None:
    method, _, version = arguments.method.rpartition(":")
    if not (version.isascii() and version.isdigit() and len(version) < 9):
        raise ActError("method", arguments.method, "METHOD:VERSION")
    name, _, zone = arguments.zone.partition("/")
    site = await find_site(connection, name)
    if site is None:
        raise ActError("zone", arguments.zone, "SITE/ZONE of a site that is declared")
    plan = Plan(
        arguments.number,
        method,
        int(version),
        zone,
        arguments.person,
        arguments.instrument,
        getattr(arguments, "from"),
        arguments.to,
    )
    await job_acts.plan(_act(connection), site.id, plan)


async def _start(connection: Connection, arguments: argparse.Namespace) -> None:
    found = await _job(connection, arguments)
    await job_acts.start(_act(connection), found.id, attested=arguments.present)


async def _release(connection: Connection, arguments: argparse.Namespace) -> None:
    found = await _job(connection, arguments)
    await job_acts.release(_act(connection), found.id, reason=arguments.why, attested=arguments.present)


async def _finish(connection: Connection, arguments: argparse.Namespace) -> None:
    found = await _job(connection, arguments)
    await job_acts.finish(_act(connection), found.id, reason=arguments.why)


async def _record(connection: Connection, arguments: argparse.Namespace) -> None:
    found = await _job(connection, arguments)
    limits = await jobs.limits_of(connection, found)
    made = await record_of(connection, found, limits, now=datetime.now(UTC))
    if made is None:
        raise ActError("job", arguments.number, "a job that has begun")
    view = view_record(found, made)
    _write(arguments.out, view, await jobs.read_log(connection, found.id))


def _write(out: Path | None, view: RecordView, log: Sequence[LogLine]) -> None:
    if out is None:
        print(_json(view))
    elif out.suffix == ".csv":
        out.write_text(record_csv(view, log), "utf-8")
    elif out.suffix == ".json":
        out.write_text(_json(view) + "\n", "utf-8")
    else:
        raise ActError("out", out, "a name that ends with .csv or .json")


def _json(view: RecordView) -> str:
    return msgspec.json.format(msgspec.json.encode(view), indent=2).decode()


async def _job(connection: Connection, arguments: argparse.Namespace) -> KeptJob:
    found = await jobs.list_jobs(connection, number=arguments.number, limit=2)
    if len(found) != 1:
        expected = "a job of one organisation alone" if found else "the number of a job"
        raise ActError("job", arguments.number, expected)
    return found[0]


def _act(connection: Connection) -> Act:
    return Act(connection, at_the_machine(), datetime.now(UTC))


def _limit(text: str) -> tuple[str, str, str]:
    parts = text.split(":")
    if len(parts) != 3:
        raise ActError("limit", text, "QUANTITY:LOW:HIGH")
    return parts[0], parts[1], parts[2]


def _moment(text: str) -> datetime:
    """Read a time; without an offset nobody knows which one it is."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a time such as 2026-01-31T08:00:00+08:00")
    return found.astimezone(UTC)
