"""Changes the rules one small thing at a time and tells which changes no test notices.

Usage: .venv/bin/python scripts/mutate.py [--rooms interlock,access] [--files desk.py] [--share 4]
       [--limit 100] [--report FILE]

Each mutant is one comparison, condition, number, sum or statement of `rules/<room>` changed. The tests of
the room that call its function run against it, quick ones first, until one fails. What was done stands in the
report, one JSON object a line; a later run goes on after it. The same source gives the same mutants.
"""

import argparse
import hashlib
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import mutants
import mutation_runs

ROOT = Path(__file__).parents[1]
ROOMS = ("interlock", "access", "alarm", "jobs")
COPIED = ("rules", "wire", "tests/rules", "tests/data", "docs/explanation")
_UNNOTICED = ("survived", "unreached")
_INI = """[pytest]
addopts = --import-mode=importlib -p no:cacheprovider -p no:schemathesis -p no:xdist -p no:randomly
markers =
    requirement(*ids): which requirements a test shows
    slow: takes over a second
"""
_CONFTEST = """from hypothesis import settings
settings.register_profile("mutants", deadline=None, derandomize=True, database=None)
settings.load_profile("mutants")
"""


def copy_tree(folder: Path) -> Path:
    """Return a copy of what the tests of rules need, in which mutants can do no harm."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "pytest.ini").write_text(_INI, encoding="utf-8")
    (tree / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    return tree


def is_in_share(mutant: mutants.Mutant, share: int) -> bool:
    """Whether a mutant belongs to the one in so many that are tried, by its own name alone."""
    return int.from_bytes(hashlib.sha256(mutant.name.encode()).digest()[:4], "big") % share == 0


def summary(report: Path) -> str:
    """Return the score of each room as a table, and every survivor below it."""
    rows = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    lines = ["| rules | mutants | killed | survived | score |", "|---|---|---|---|---|"]
    for room in (*ROOMS, "all"):
        found = Counter(row["fate"] for row in rows if room in ("all", row["room"]))
        total, left = sum(found.values()), sum(found[fate] for fate in _UNNOTICED)
        if total:
            score = 100 * (total - left) / total
            lines.append(f"| {room} | {total} | {total - left} | {left} | {score:.1f} % |")
    survivors = sorted((row["file"], row["line"], row["what"]) for row in rows if row["fate"] in _UNNOTICED)
    return "\n".join([*lines, "", *(f"{file}:{line}: {what}" for file, line, what in survivors)])


def main() -> int:
    """Try mutants until all are done or as many as were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", default=",".join(ROOMS), help="of rules (default: %(default)s)")
    parser.add_argument("--files", default="", help="of these rooms alone, such as desk.py (default: all)")
    parser.add_argument("--share", type=int, default=1, help="try one mutant in so many (default: all)")
    parser.add_argument("--limit", type=int, default=0, help="stop after so many")
    parser.add_argument("--report", type=Path, default=ROOT / "build" / "mutation" / "report.jsonl")
    parser.add_argument(
        "--summary", action="store_true", help="tell what stands in the report and try nothing"
    )
    arguments = parser.parse_args()
    report: Path = arguments.report
    report.parent.mkdir(parents=True, exist_ok=True)
    report.touch()
    if arguments.summary:
        print(summary(report))
        return 0
    known = {json.loads(line)["name"] for line in report.read_text("utf-8").splitlines()}
    files = {name for name in arguments.files.split(",") if name}
    tree, tried = copy_tree(report.parent), 0
    for room in arguments.rooms.split(","):
        wanted = [
            one
            for one in mutants.of_room(tree, room)
            if one.name not in known
            and is_in_share(one, arguments.share)
            and (not files or Path(one.file).name in files)
        ]
        if arguments.limit:
            wanted = wanted[: arguments.limit - tried]
        tried += len(wanted)
        for mutant, fate in mutation_runs.fates(tree, room, wanted) if wanted else ():
            row = {"name": mutant.name, "room": room, "file": mutant.file, "line": mutant.line}
            with report.open("a", encoding="utf-8") as out:
                out.write(json.dumps({**row, "what": mutant.what, "fate": fate}) + "\n")
    print(summary(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
