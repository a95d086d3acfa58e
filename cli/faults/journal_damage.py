"""What happens to a journal on a bad card, done to a file of a gateway that is not running.

It does not know the journal's tables.
"""

import shutil
from pathlib import Path
from random import Random


def files_of(journal: Path) -> list[Path]:
    """Return the database file and what SQLite keeps beside it."""
    candidates = (journal.with_name(journal.name + suffix) for suffix in ("", "-wal", "-shm"))
    return [path for path in candidates if path.exists()]


def _victim(journal: Path) -> Path:
    """The larger of database and log; the shared-memory file holds nothing that lasts."""
    candidates = [path for path in files_of(journal) if not path.name.endswith("-shm")]
    return max(candidates, key=lambda path: path.stat().st_size)


def truncate(journal: Path, random: Random) -> str:
    """Cut off the end of the largest file; return what was done."""
    victim = _victim(journal)
    size = victim.stat().st_size
    kept = random.randint(size // 4, size - 1)
    with victim.open("r+b") as file:
        file.truncate(kept)
    return f"{victim.name} cut from {size} to {kept} bytes"


def flip_bit(journal: Path, random: Random) -> str:
    """Flip one bit behind the header of the largest file; return which."""
    victim = _victim(journal)
    place = random.randrange(min(4096, victim.stat().st_size // 2), victim.stat().st_size)
    bit = 1 << random.randrange(8)
    with victim.open("r+b") as file:
        file.seek(place)
        old = file.read(1)[0]
        file.seek(place)
        file.write(bytes((old ^ bit,)))
    return f"{victim.name} byte {place}: {old:#04x} became {old ^ bit:#04x}"


def back_up(journal: Path, folder: Path) -> None:
    """Copy the journal and everything beside it that bears its name, as an image of the card would."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in _beside(journal):
        shutil.copy2(path, folder / path.name)


def restore(journal: Path, folder: Path, *, whole: bool) -> None:
    """Put the copy in the journal's place: the whole card, or the database alone with what SQLite needs."""
    for path in _beside(journal) if whole else files_of(journal):
        path.unlink()
    for path in _beside(folder / journal.name) if whole else files_of(folder / journal.name):
        shutil.copy2(path, journal.parent / path.name)


def _beside(journal: Path) -> list[Path]:
    return sorted(journal.parent.glob(f"{journal.stem}*"))
