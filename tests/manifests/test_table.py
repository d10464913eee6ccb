"""The table of sources: every data set is in it, and the page shows what the manifests say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manifests import source_manifest, source_names, table
from motionunion.sources import SOURCES

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"

# What ScaMo's union was made of, and the sets that such a union is made of today.
NAMED = {
    "PhysHumanML3D", "HumanML3D", "100STYLE", "ScaMo's internal data", "CombatMotion", "idea400", "music", "game_motion",
    "EgoBody", "HAA500", "kungfu", "perform", "HuMMan", "fitness", "animation", "HumanAct12", "SMooDi", "Motion-X", "humanml",
    "aist", "dance", "GRAB", "AIST++", "LAFAN1", "Bandai-Namco Research Motion Dataset 1",
    "Bandai-Namco Research Motion Dataset 2", "CMU motion capture database", "Inter-X", "BONES-SEED", "MotionMillion", "MotionHub",
    "ViMoGen-228K", "SnapMoGen", "MotionLib", "HuMo100M", "HY-Motion", "SkelMo", "TopoSlots", "Mixamo", "272 features",
    "KIT Motion-Language", "BABEL", "AMASS-Annotation-Unifier", "AMASS, SMPL+H", "AMASS, SMPL-X", "InterHuman", "BEHAVE",
    "Joint arrays", "Xsens", "Rokoko",
}  # fmt: skip


def test_every_data_set_has_a_row() -> None:
    first_cells = [
        re.sub(r"\]\([^)]*\)", "", row[0]).lstrip("[") for name in source_names() for row in table.manifest_rows(name)
    ]
    assert not [name for name in NAMED if not any(name in cell for cell in first_cells)]


def test_the_page_shows_what_the_manifests_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table.page_with_table(page) == page, "run: python -m manifests.table docs/sources.md"


def test_every_reader_is_in_the_table_with_what_it_was_tested_on() -> None:
    rows = [row for name in SOURCES for row in table.manifest_rows(name)[:1]]
    assert [row[1] for row in rows] == [f"`{name}`" for name in SOURCES]
    assert {row[-1] for row in rows} == {"real files", "files of the same layout"}


def test_a_table_is_made_anew_between_its_marks_and_nowhere_else() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    made = table.page_with_table(page)
    assert made.startswith(f"before\n{table.BEGIN}\n\n| source | read as |")
    assert made.endswith(f"|\n\n{table.END}\nafter\n")
    assert table.page_with_table(made) == made
    with pytest.raises(ValueError, match="no place for the table"):
        table.page_with_table("nothing")


def test_a_manifest_without_a_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = source_manifest("lafan1")
    for changed, says in (({"licence"}, "has no licence"), (set(), "tested = 'yes'")):
        manifest = {key: value for key, value in whole.items() if key not in changed} | (
            {} if changed else {"tested": "yes"}
        )
        monkeypatch.setattr(table, "source_manifest", lambda _name, manifest=manifest: manifest)
        with pytest.raises(ValueError, match=says):
            table.manifest_rows("lafan1")
