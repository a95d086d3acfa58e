"""Writes the generated pages under docs; `--check` only says which ones are stale.

Usage: .venv/bin/python scripts/generate_docs.py [--check]
"""

import argparse
import json
import sys
from pathlib import Path

from requirements_page import requirements_page

from wire.schema import asyncapi, json_schema

ROOT = Path(__file__).parents[1]


def _as_json(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _decisions_page() -> str:
    head = (
        "# Decisions\n\nOne page each: what the situation was, what we chose, what follows. A decision\n"
        "that is replaced stays, and says by which. This list is generated.\n\n"
    )
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [path.read_text("utf-8").splitlines()[0].lstrip("# ") for path in pages]
    return head + "".join(f"- [{title}]({path.name})\n" for title, path in zip(titles, pages, strict=True))


def generated() -> dict[str, str]:
    """Path below docs -> text, for every generated page."""
    return {
        "decisions/README.md": _decisions_page(),
        "reference/wire/schema.json": _as_json(json_schema()),
        "reference/wire/asyncapi.json": _as_json(asyncapi()),
        "reference/requirements.md": requirements_page(ROOT),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    arguments = parser.parse_args()
    stale = []
    for name, text in generated().items():
        path = ROOT / "docs" / name
        if path.is_file() and path.read_text("utf-8") == text:
            continue
        stale.append(f"docs/{name}")
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for name in stale:
        print(("stale: " if arguments.check else "written: ") + name)
    return 1 if arguments.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
