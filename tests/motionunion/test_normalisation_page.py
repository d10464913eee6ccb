"""The page on normalisation names every reason and every flag, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from motionunion import normalise, oddities, plausibility, world_frame

PAGE = Path(__file__).parents[2] / "docs" / "normalisation.md"


def table(heading: str) -> set[str]:
    """Words in the first column of the table under a heading."""
    part = PAGE.read_text(encoding="utf-8").partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`(\w+)`", row)}


def source(module: object) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")  # type: ignore[attr-defined]


def test_the_page_lists_what_is_refused() -> None:
    reasons = set(re.findall(r'found\["(\w+)"\]', source(plausibility)))
    reasons |= set(re.findall(r'reason="(\w+)"', source(normalise)))
    assert table("What is refused") == reasons
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{reason}`" in page for reason in re.findall(r'"(unknown_\w+)"', source(world_frame)))


def test_the_page_lists_what_is_flagged() -> None:
    flags = set(re.findall(r'found\.append\("(\w+)"\)', source(oddities)))
    flags |= set(re.findall(r'flags\.append\("(\w+)"\)', source(normalise)))
    assert table("What is flagged") == flags
