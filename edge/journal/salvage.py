"""Opens the journal of a folder; a damaged one is set aside, and what can be read of it goes into a new one.

Sealed batches keep epoch, number and bytes, so that the hub's ledger knows what it had; groups that were
not sealed go on in the new epoch.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from edge.journal.errors import JournalDamagedError
from edge.journal.file import RUNNING, JournalFile, Surroundings
from edge.journal.holes import Holes
from edge.journal.reader import Reader
from edge.journal.schema import translated
from edge.journal.wal import check_log

LOG = logging.getLogger(__name__)
FILE_NAME = "journal.db"
_NEW_NAME = "journal.new"
_SIDES = ("", "-wal", "-shm")
_CHUNK = 200

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was saved of a damaged file."""

    reason: str
    set_aside: Path
    sealed: int
    readings: int


def open_journal(folder: Path, given: Surroundings) -> tuple[JournalFile, Salvaged | None]:
    """Open the folder's journal, or begin one; `JournalFullError` when the disk does not let it."""
    with translated():
        folder.mkdir(parents=True, exist_ok=True)
        return _open(folder, given)


def _open(folder: Path, given: Surroundings) -> tuple[JournalFile, Salvaged | None]:
    file = folder / FILE_NAME
    if not file.exists() and (folder / _NEW_NAME).exists():
        reason = "saving what was left of it was interrupted"
        return _rebuild(folder, given, reason, aside=_newest_aside(file))
    try:
        return _checked(file, given), None
    except JournalDamagedError as error:
        return salvage(folder, given, str(error))


def begin_run(
    folder: Path, given: Surroundings, start: Callable[[JournalFile], _T]
) -> tuple[JournalFile, Salvaged | None, _T]:
    """Open the folder's journal and start on it; damage that shows only then is salvaged too."""
    file, salvaged = open_journal(folder, given)
    try:
        return file, salvaged, start(file)
    except JournalDamagedError as error:
        file.close(clean=False)
        file, salvaged = salvage(folder, given, str(error))
        return file, salvaged, start(file)
    except BaseException:
        file.close(clean=False)
        raise


def _checked(file: Path, given: Surroundings) -> JournalFile:
    check_log(file)
    log = file.with_name(file.name + "-wal")
    logged = log.exists() and log.stat().st_size > 0
    journal = JournalFile(file, given)
    if journal.running == RUNNING and not logged:
        journal.close(clean=False)
        raise JournalDamagedError("the log of a journal that was in use is gone")
    return journal


def salvage(folder: Path, given: Surroundings, reason: str) -> tuple[JournalFile, Salvaged]:
    """Set the folder's journal aside, begin a new one and take over what can be read of the old.

    The new one gets its name only once all of that is in it, so that a kill in between loses nothing.
    """
    with translated():
        (folder / _NEW_NAME).touch()
        return _rebuild(folder, given, reason, aside=_set_aside(folder / FILE_NAME))


def _rebuild(folder: Path, given: Surroundings, reason: str, *, aside: Path) -> tuple[JournalFile, Salvaged]:
    new = folder / _NEW_NAME
    for side in _SIDES:
        new.with_name(new.name + side).unlink(missing_ok=True)
    fresh = JournalFile(new, given)
    try:
        with Reader(aside) as reader:
            sealed, readings = _adopt(fresh, reader)
        fresh.adopt_damage(reason)
    except BaseException:
        fresh.close(clean=False)
        raise
    fresh.close(clean=True)
    new.rename(folder / FILE_NAME)
    LOG.error(
        "journal damaged (%s): set aside as %s, %d batches and %d readings saved",
        reason,
        aside.name,
        sealed,
        readings,
    )
    return JournalFile(folder / FILE_NAME, given), Salvaged(reason, aside, sealed, readings)


def _set_aside(file: Path) -> Path:
    number = 1
    while (aside := _aside(file, number)).exists():
        number += 1
    for side in _SIDES:
        part = file.with_name(file.name + side)
        if part.exists():
            part.rename(aside.with_name(aside.name + side))
    aside.touch()
    return aside


def _aside(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.damaged-{number}")


def _newest_aside(file: Path) -> Path:
    number = 1
    while _aside(file, number + 1).exists():
        number += 1
    return _aside(file, number)


def _adopt(fresh: JournalFile, reader: Reader) -> tuple[int, int]:
    sealed = readings = 0
    fresh.adopt_state(reader.state())
    holes = Holes(anywhere=not reader.sound)
    for batches in _chunks(holes.sealed(reader.sealed())):
        fresh.adopt(sealed=batches, pending=())
        sealed += len(batches)
    for groups in _chunks(holes.pending(reader.pending())):
        fresh.adopt(sealed=(), pending=groups)
        readings += sum(row.group.readings for row in groups)
    holes.behind(fresh.memory.backlogs(), fresh.memory.last_ticks())
    fresh.adopt_holes(holes.found)
    return sealed, readings


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
