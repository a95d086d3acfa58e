"""Checks the main job of a running demo from outside: pages, API, stored counts, events, completeness, acks.

Every check is a question with an answer; nothing of the system under check is imported but the words of
its protocols. It starts and stops nothing.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cli.demo import given_out, happenings, page_values, people
from cli.demo.asking import Stretch, WrongError, at_of, items, json_of, readings
from cli.demo.people import Day
from cli.demo.running import find
from cli.demo.signing_in import each_sees_theirs
from cli.demo.stories.scenes import play
from cli.demo.stories.teller import NotSeenError
from cli.demo.system import System

OBSERVED_S = 12.0
"""How long the system is watched at its work before it is judged."""
SETTLE_S = 4.0
"""How long a reading may take from the device to the database; three times what it takes."""
PAST_S = 31 * 86_400.0
"""So far back is everything looked at that is stored."""
PIECE_S = 6 * 3600.0
"""So much is asked for at once."""
STANDING_M_S = Decimal(1)
"""Below this speed a receiver gives no course over ground."""
PAGES = ("/", "/map")
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the running system."""

    name: str
    ok: bool
    answer: str
    note: bool = False
    """It tells of the past: it is no verdict on the system that runs, which cannot mend it."""


async def check(system: System) -> list[Check]:
    """Watch the system for a while in which people use its devices, then ask everything."""
    started = time.time()
    async with asyncio.TaskGroup() as tasks:
        day = tasks.create_task(_act(system))
        return await _judge(system, started, day)


async def _act(system: System) -> Day | str:
    """Return what people did, or why they could not."""
    day: Day | str = ""
    try:
        day = await people.act(system)
    except* (WrongError, OSError, ValueError, LookupError) as errors:
        day = "; ".join(str(error) or type(error).__name__ for error in errors.exceptions)
    return day


async def _judge(system: System, started: float, day: asyncio.Task[Day | str]) -> list[Check]:
    await asyncio.sleep(OBSERVED_S + SETTLE_S)
    stretch = Stretch(started, started + OBSERVED_S)
    questions: dict[str, Callable[[System, Stretch], Awaitable[str]]] = {
        "gateways are online": _gateways,
        "every point has a live value": _latest,
        "positions move with time": _positions,
        "four users sign in and see what is theirs": each_sees_theirs,
        "pages show what is stored, in both languages": _pages,
        "the page's live stream brings new values": _live,
        "stored as often as given out": _counts,
        "every numbered answer is stored once": _numbered,
        "due = stored + explained, nothing twice": _completeness,
        "no batch is missing or held back": _ledger,
        "journals drain by acks": _journals,
        "a card shown at a reader is one event": _of_people(day, happenings.cards),
        "a door that is opened tells button, opening and closing": _of_people(day, happenings.doors),
        "badges and tags come and go": _of_people(day, happenings.badges),
        "the use of an instrument is a session": _of_people(day, happenings.sessions),
        "cameras give heartbeats, and their pictures have the hash that was told": _cameras,
        "the ignition follows the drive": happenings.ignition,
    }
    async with asyncio.TaskGroup() as tasks:
        asked = {
            name: tasks.create_task(_ask(name, question, system, stretch=stretch))
            for name, question in questions.items()
            if question in (_live, _journals)  # they watch for a while, and so beside the others
        }
        checks = [
            await (asked.get(name) or _ask(name, question, system, stretch=stretch))
            for name, question in questions.items()
        ]
    checks.append(
        await _ask("a room that runs away is held, locked and made safe", _story, system, stretch=stretch)
    )
    began = Stretch(max(began_at(system.folder), stretch.to_at - PAST_S), stretch.to_at)
    past = await _ask("all that is stored: due = stored + explained", _past, system, stretch=began)
    return [*checks, replace(past, note=True)]


async def _story(system: System, _: Stretch) -> str:
    """Have a room run away; everything that has to be seen of it is, or `WrongError` says what was not."""
    told: list[str] = []
    try:
        await play("ramp", find(system.folder), told.append)
    except NotSeenError as error:
        raise WrongError(str(error)) from None
    return f"{len(told)} things seen: {told[-1].strip()}"


def began_at(folder: Path) -> float:
    """Return when the demo's data began, UTC seconds: nothing is older than the database."""
    return (folder / "postgres" / "data" / "PG_VERSION").stat().st_mtime


async def _ask(
    name: str, question: Callable[[System, Stretch], Awaitable[str]], system: System, *, stretch: Stretch
) -> Check:
    try:
        return Check(name, ok=True, answer=await question(system, stretch))
    except (WrongError, OSError, ValueError, LookupError, sqlite3.Error) as error:
        return Check(name, ok=False, answer=str(error) or type(error).__name__)


def _of_people(
    day: asyncio.Task[Day | str], question: Callable[[System, Day], Awaitable[str]]
) -> Callable[[System, Stretch], Awaitable[str]]:
    """Return a question about what people did, which waits until they are done."""

    async def asked(system: System, _: Stretch) -> str:
        done = await day
        if isinstance(done, str):
            raise WrongError(done)
        return await question(system, done)

    return asked


async def _cameras(system: System, stretch: Stretch) -> str:
    return await happenings.cameras(system, Stretch(stretch.from_at, time.time()))


async def _gateways(system: System, _: Stretch) -> str:
    rows = {row["name"]: row for row in await items(system, "/api/gateways")}
    away = [name for name in system.gateways if not rows.get(name, {}).get("online")]
    if away:
        raise WrongError(f"not online: {', '.join(away)}")
    return ", ".join(system.gateways)


async def _latest(system: System, _: Stretch) -> str:
    rows = await items(system, "/api/latest")
    measured = [row for row in rows if row["point"]["quantity"] != "position"]
    dead = faulty(measured, since=system.since)
    if dead or not measured:
        raise WrongError(f"{len(dead)} of {len(measured)} points: {', '.join(dead[:5])}")
    return f"{len(measured)} points, the oldest {max(row['age_s'] for row in measured):.1f} s old"


def faulty(rows: Collection[Mapping[str, Any]], *, since: float) -> list[str]:
    """Return the points of `/api/latest` that should be live and are not, or were not read since (UTC, s).

    A vehicle that stands has no course, and a wire or a modem tells no level of its signal.
    """
    standing = {_name(row).removesuffix("/speed") for row in rows if _stands(row)}
    wired = {_name(row).removesuffix("/bearer") for row in rows if _is_without_level(row)}
    dead = [
        f"{_name(row)} {row['state']}"
        for row in rows
        if row["state"] != "live"
        and not _has_none(row, "course", standing)
        and not _has_none(row, "signal", wired)
    ]
    old = [row for row in rows if row["state"] == "live" and at_of(row) < since]
    return dead + [f"{_name(row)} was last read in an earlier run" for row in old]


def _stands(row: Mapping[str, Any]) -> bool:
    speed = row["point"]["quantity"] == "speed" and row["value"] is not None
    return speed and Decimal(row["value"]) < STANDING_M_S


def _is_without_level(row: Mapping[str, Any]) -> bool:
    return _name(row).endswith("/bearer") and row["word"] in ("ethernet", "mobile")


def _has_none(row: Mapping[str, Any], last: str, rightly: Collection[str]) -> bool:
    """Whether it is a point of this last name that rightly was not measured."""
    place, _, name = _name(row).rpartition("/")
    return name == last and place in rightly and (row["state"], row["status"]) == ("absent", "not_measured")


async def _positions(system: System, stretch: Stretch) -> str:
    rows = await items(system, "/api/positions")
    fixes = []
    for row in rows:
        answer = await json_of(system, f"/api/positions/{row['point_id']}/track", stretch.query)
        fixes.append(len(answer["fixes"]))
    if len(rows) != 2 or min(fixes) < OBSERVED_S / 2:
        raise WrongError(f"{len(rows)} receivers with {fixes} fixes in {OBSERVED_S:.0f} s")
    return f"{len(rows)} receivers with {fixes} fixes in {OBSERVED_S:.0f} s"


async def _pages(system: System, _: Stretch) -> str:
    sites = [f"/sites/{name}" for name in system.gateways]
    shown: list[tuple[str, page_values.Value]] = []
    for path in (*PAGES, *sites):
        for language in LANGUAGES:
            answer = await system.visitor.get(f"{path}?{urlencode({'lang': language})}")
            page = page_values.read(answer.text)
            if answer.status != 200 or not page.language.startswith(language):
                raise WrongError(f"{path} in {language}: status {answer.status}, lang {page.language!r}")
            shown += [(path, value) for value in page.values if path not in PAGES[1:]]
            if not page.values and path in ("/", sites[0]):
                raise WrongError(f"{path} in {language} shows no value")
    await _same_as_stored(system, shown)
    return f"{len(PAGES) + len(sites)} pages in {' and '.join(LANGUAGES)}, {len(shown)} values as stored"


async def _same_as_stored(system: System, shown: Sequence[tuple[str, page_values.Value]]) -> None:
    """Compare what pages show with the readings of those very times."""
    for point in {value.point for _, value in shown}:
        mine = [(path, value) for path, value in shown if value.point == point]
        times = [value.at_ms / 1000 for _, value in mine]
        rows = await readings(system, point, Stretch(min(times), max(times) + 0.01))
        stored = {(round(at_of(row) * 1000), row["value"]) for row in rows}
        for path, value in mine:
            if (value.at_ms, value.exact) not in stored:
                raise WrongError(f"{path} shows {value.exact} for point {point}, stored is not so")


async def _live(system: System, _: Stretch) -> str:
    lines = await system.visitor.listen("/live?lang=en", seconds=4.0)
    points = sum(line == "event: points" for line in lines)
    if points < 2:
        raise WrongError(f"{points} changes of values in 4 s")
    return f"{points} changes of values in 4 s"


async def _counts(system: System, stretch: Stretch) -> str:
    """Every Modbus device: its answers in the stretch against the rows of each of its points."""
    answers = given_out.read(system.simulators)
    points = await _points_by_unit(system)
    total = 0
    for unit in given_out.units("demo"):
        within = [one for one in answers[unit.name] if stretch.from_at <= one.at < stretch.to_at]
        polls = given_out.polls(within)
        for point in points[unit.gateway, unit.prefix]:
            stored = len(await readings(system, point["id"], stretch))
            # A reading may fall on either side of each end.
            if not polls or max(abs(stored - given) for given in polls) > 1:
                raise WrongError(f"{unit.gateway} {point['name']}: {stored} stored of {polls} given out")
            total += stored
    return f"{total} readings of {len(answers)} devices"


async def _numbered(system: System, stretch: Stretch) -> str:
    """Devices that number their answers: each number of the stretch is stored exactly once."""
    answers = given_out.read(system.simulators)
    points = await _points_by_unit(system)
    total = 0
    for unit in given_out.units("demo"):
        if not unit.numbering:
            continue
        (point,) = [
            one
            for one in points[unit.gateway, unit.prefix]
            if one["name"] == f"{unit.prefix}/{unit.numbering}"
        ]
        due = [one.number for one in answers[unit.name] if stretch.from_at <= one.at < stretch.to_at]
        around = Stretch(stretch.from_at - SETTLE_S, stretch.to_at + SETTLE_S)
        stored = [int(row["raw"]) for row in await readings(system, point["id"], around)]
        wrong = [number for number in due if stored.count(number) != 1]
        if wrong or not due:
            raise WrongError(f"{unit.gateway} {point['name']}: {wrong[:5]} of {len(due)} not stored once")
        total += len(due)
    return f"{total} numbered answers"


async def _past(system: System, stretch: Stretch) -> str:
    sums: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for piece in stretch.pieces(PIECE_S):
        for row in await items(system, "/api/completeness", piece.query):
            if row["period_ms"]:
                sums.update({key: row[key] for key in ("expected", "stored", "explained", "duplicated")})
                missing[f"{row['point']} (id {row['point_id']})"] += row["unexplained"]
    return told_of_the_past(stretch, sums, missing)


def told_of_the_past(stretch: Stretch, sums: Mapping[str, int], missing: Mapping[str, int]) -> str:
    """Return the account of a long stretch; `WrongError` with the numbers when something has no reason."""
    lost = {point: number for point, number in missing.items() if number}
    begin = datetime.fromtimestamp(stretch.from_at, UTC)
    due = f"since {begin:%Y-%m-%d %H:%M:%S} UTC: {sums['expected']} due, {sums['stored']} stored"
    account = f"{due}, {sums['explained']} explained, {sum(lost.values())} unexplained"
    if lost or sums["duplicated"]:
        worst = ", ".join(sorted(lost, key=lambda point: (-lost[point], point))[:3])
        where = f" at {len(lost)} points ({worst})" if lost else ""
        raise WrongError(f"{account}{where}, {sums['duplicated']} twice")
    return account


async def _completeness(system: System, stretch: Stretch) -> str:
    rows = await items(system, "/api/completeness", stretch.query)
    due = [row for row in rows if row["period_ms"]]
    for row in due:
        if row["unexplained"] or row["duplicated"]:
            wrong = f"{row['unexplained']} unexplained, {row['duplicated']} twice"
            raise WrongError(f"{stretch}, {row['point']}: {wrong}")
        if row["stored"] + row["explained"] < row["expected"]:
            wrong = f"{row['expected']} due, {row['stored']} + {row['explained']}"
            raise WrongError(f"{stretch}, {row['point']}: {wrong}")
    sums = {key: sum(row[key] for row in due) for key in ("expected", "stored", "explained")}
    if not due:
        raise WrongError("no point has a period")
    account = f"{sums['expected']} due, {sums['stored']} stored, {sums['explained']} explained"
    return f"{stretch}, {len(due)} points: {account}"


async def _ledger(system: System, _: Stretch) -> str:
    batches = 0
    for name in system.gateways:
        for epoch in await items(system, f"/api/gateways/{name}/epochs"):
            held = {
                key: epoch[key] for key in ("missing", "waiting", "quarantined", "conflicts") if epoch[key]
            }
            if held:
                raise WrongError(f"{name}: {held}")
            batches += epoch["received"]
    return f"{batches} batches received"


async def _journals(system: System, _: Stretch) -> str:
    """What was sealed when asked is acknowledged and gone soon after."""
    waiting = {name: await asyncio.to_thread(_sealed, system.journal(name)) for name in system.gateways}
    await asyncio.sleep(SETTLE_S)
    for name, before in waiting.items():
        left = before & await asyncio.to_thread(_sealed, system.journal(name))
        if left:
            raise WrongError(f"{name}: {len(left)} batches without an ack for {SETTLE_S:.0f} s")
    return f"{sum(map(len, waiting.values()))} batches in flight were acknowledged"


def _sealed(journal: Path) -> set[int]:
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=5)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM sealed")}


async def _points_by_unit(system: System) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for point in await items(system, "/api/points"):
        found.setdefault((point["site"], point["name"].rpartition("/")[0]), []).append(point)
    return found


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['point']['site']}/{row['point']['name']}"
