"""The import direction of docs/architecture.md, and what may be imported when."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("manifests", "motionunion", "tokenizer", "scamo", "cli")  # each may import itself and those before it
HEAVY = {"torch", "smplx", "ray", "matplotlib", "transformers", "obstore", "av"}
TRAINING_MAY_IMPORT = {"torch", "numpy", "pyarrow", "safetensors", *ROOMS}


def files_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(tree: ast.AST, *, module_level: bool) -> Iterator[str]:
    """Names of imported modules; with `module_level` only what runs when the file is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that the direction can be read"
            yield node.module or ""
        elif module_level and runs_later(node):
            continue
        else:
            yield from imports(node, module_level=module_level)


def runs_later(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_itself_and_the_rooms_before_it(room: str) -> None:
    later = set(ROOMS[ROOMS.index(room) + 1 :])
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files_of(room)
        for name in imports(parse(path), module_level=False)
        if name.split(".")[0] in later
    ]
    assert not wrong


@pytest.mark.parametrize("room", ["manifests", "motionunion", "cli"])
def test_light_rooms_import_nothing_heavy_at_module_level(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files_of(room)
        for name in imports(parse(path), module_level=True)
        if name.split(".")[0] in HEAVY
    ]
    assert not wrong


@pytest.mark.parametrize("room", ["tokenizer", "scamo"])
def test_training_rooms_import_only_what_a_bare_gpu_box_has(room: str) -> None:
    allowed = TRAINING_MAY_IMPORT | set(sys.stdlib_module_names)
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files_of(room)
        for name in imports(parse(path), module_level=True)
        if name.split(".")[0] not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("command", ["motionunion", "scamo"])
def test_help_loads_neither_torch_nor_duckdb(command: str) -> None:
    code = (
        f"import sys; import cli.{command}; "
        "print(sorted(m for m in ('torch', 'duckdb', 'polars', 'pyarrow', 'scipy', 'numpy') if m in sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_file_has_a_name_that_says_nothing() -> None:
    names = [path.name for room in ROOMS for path in files_of(room)]
    assert not [name for name in names if re.fullmatch(r"(utils?|helpers?|common|misc)\.py", name)]


def test_every_source_reader_has_a_manifest() -> None:
    from manifests import source_manifest, source_names
    from motionunion.sources import SOURCES

    assert set(SOURCES) == {name for name in source_names() if source_manifest(name)["reader"] != "none"}
