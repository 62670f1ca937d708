"""Every link between pages leads somewhere."""

import re
from pathlib import Path

import pytest

from snippets.page import FENCE, HOME, PAGES, name_of

LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", [*PAGES, HOME / "CHANGELOG.md"], ids=name_of)
def test_every_link_leads_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = [
        f"{path}#{anchor}"
        for path, anchor in LINK.findall(text)
        if "://" not in path and not leads_somewhere(page, path, anchor)
    ]
    assert broken == []


def leads_somewhere(page: Path, path: str, anchor: str) -> bool:
    goal = page if not path else (page.parent / path).resolve()
    if not goal.exists():
        return False
    return not anchor or anchor in anchors(goal)


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as MkDocs and GitHub make them for plain words."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", h.lower().replace("`", "")).strip().replace(" ", "-")
        for h in headings
    }
