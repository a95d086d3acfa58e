"""Links between pages lead somewhere, and every part of the documentation can be reached."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def _targets(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return [target for target in _LINK.findall(text) if "://" not in target]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in _targets(page)
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_has_context_decision_and_consequences() -> None:
    for page in sorted((ROOT / "docs/decisions").glob("[0-9]*.md")):
        headings = re.findall(r"^## (\w+)", page.read_text("utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name


def test_decisions_fit_on_a_page() -> None:
    lengths = {p.name: len(p.read_text("utf-8").split()) for p in (ROOT / "docs/decisions").glob("[0-9]*.md")}
    assert {name: words for name, words in lengths.items() if words > 500} == {}


def test_headings_that_are_linked_exist() -> None:
    for page in PAGES:
        for target, heading in re.findall(r"\]\(([^)#\s]*\.md)#([^)\s]+)\)", page.read_text("utf-8")):
            text = (page.parent / target).read_text("utf-8")
            anchors = [
                re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-")
                for h in re.findall(r"^#+ (.+)$", text, re.M)
            ]
            assert heading in anchors, f"{page.name}: {target}#{heading}"
