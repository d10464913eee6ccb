from __future__ import annotations

import importlib.util
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from motionunion.clip import Caption

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


def blocks(page: str) -> list[str]:
    """Indented code, block by block."""
    found: list[list[str]] = []
    inside = False
    for line in page.splitlines():
        if line.startswith("    "):
            if not inside:
                found.append([])
            found[-1].append(line)
        inside = line.startswith("    ") or (inside and not line)
    return [textwrap.dedent("\n".join(block)) for block in found]


@pytest.fixture
def made():
    """The store tests' own clip maker and desk."""
    where = Path(__file__).parent / "store" / "conftest.py"
    spec = importlib.util.spec_from_file_location("store_conftest", where)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_block_of_the_python_page_runs(made, tmp_path, monkeypatch, capsys):
    desk = made.Desk(tmp_path / "motionunion-store")
    clips = tuple(
        replace(made.build_clip(f"clip {number}", source="amass", frames=60), official_split=split)
        for number, split in enumerate(("train", "train", "test"))
    )
    said = {clip.key: (Caption(uid=clip.uid, text=f"a person does {clip.key}", layer="mine"),) for clip in clips}
    desk.commit(desk.receipt(clips=clips, captions=said, source="amass"))
    monkeypatch.chdir(tmp_path)
    page = blocks(PAGE.read_text(encoding="utf-8"))
    assert len(page) == 7
    names: dict[str, object] = {}
    for block in page:
        exec(compile(block, PAGE.name, "exec"), names)
    printed = capsys.readouterr().out
    assert "amass clip 0 60 30 rotations" in printed
    assert "amass clip 2" not in printed
    assert "(60, 22, 3)" in printed
    assert "(39, 263)" in printed
    assert "{'train': 2, 'val': 0, 'test': 1}" in printed
    assert names["table"].num_rows == 3
