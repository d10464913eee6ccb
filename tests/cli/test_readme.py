"""Every command that the README shows runs, in the README's order, on a small sample."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SMALLER = {"sample": ["--clips", "48"]}
"""What the README leaves at its full size, and this test makes small."""
SMOKE = (ROOT / ".ci" / "smoke").read_text(encoding="utf-8")
"""The quick start, which CI runs by itself: what trains is not run here once more."""


def shown_commands() -> list[list[str]]:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))[0] in ("motionunion", "scamo")]


def test_the_readme_shows_the_five_lines_as_they_are_promised() -> None:
    lines = [" ".join(words) for words in shown_commands()]
    five = [
        "motionunion ingest amass/",
        "motionunion stats",
        "scamo tokenize --codebook 65536",
        "scamo train-ar",
        "scamo eval humanml3d",
    ]
    places = [lines.index(line) for line in five]
    assert places == sorted(places)
    assert all(in_smoke(shlex.split(line)) for line in five)


def in_smoke(words: list[str]) -> bool:
    return f'"$bin/{words[0]}" {shlex.join(words[1:])}' in SMOKE


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tmp_path: Path) -> None:
    for words in shown_commands():
        if words[0] == "scamo" and f'"$bin/scamo" {words[1]} ' in SMOKE:
            continue
        line = [str(BIN / words[0]), *words[1:], *SMALLER.get(words[1], [])]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode in (0, 3), f"{shlex.join(words)}: exit {done.returncode}\n{done.stderr}"


def test_the_wheel_holds_every_package_and_the_manifests() -> None:
    import tomllib

    target = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert set(target["wheel"]["packages"]) == {"motionunion", "tokenizer", "scamo", "cli", "manifests"}
