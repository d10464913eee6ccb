"""What every reader promises, each tried on a small copy of its data set that `trees/<source>.py` writes.

A new source needs its line in `motionunion.sources`, its manifest, and such a tree; the promises are then tried of themselves.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from manifests import source_manifest, source_names
from manifests.table import manifest_rows
from motionunion.clip import Annotation, ClipRef
from motionunion.digest import sha256_file
from motionunion.errors import ClipError, SourceFormatError
from motionunion.normalise import normalise
from motionunion.sources import SOURCES, ReadOptions
from motionunion.sources.detect import Detection, recognise
from motionunion.store.schema import annotation_rows, clip_to_row, rows_digest

MOTION = (".npz", ".npy", ".bvh", ".pkl", ".h5", ".hdf5", ".amc", ".csv")


@dataclass(frozen=True)
class Tree:
    """A small copy of a data set, and what was found in it."""

    source: str
    root: Path
    module: Any
    found: Detection
    refs: tuple[ClipRef, ...]
    content: tuple[object, ...]
    """Of each ref, in their order."""


@pytest.fixture(scope="module", params=list(SOURCES))
def tree(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, write_tree: Callable[[str, Path], Any]
) -> Tree:
    root = tmp_path_factory.mktemp("contract") / "some folder"
    module = write_tree(request.param, root)
    found = recognise([root])
    refs = refs_of(request.param, found)
    return Tree(request.param, root, module, found, refs, tuple(content(ref) for ref in refs))


def refs_of(source: str, found: Detection) -> tuple[ClipRef, ...]:
    refs: list[ClipRef] = []
    for claim in found.claims:
        if claim.source == source:
            listed = list(SOURCES[source].discover(claim))
            assert listed == sorted(listed, key=lambda ref: ref.key)
            refs += listed
    return tuple(sorted(refs, key=lambda ref: ref.key))


def state_of(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in root.rglob("*") if path.is_file()}


def content(ref: ClipRef) -> object:
    """Everything that the store would keep of one reading."""
    reading = SOURCES[ref.source].read(ref, ReadOptions())
    said = rows_digest(annotation_rows(ref.source, ref.key, reading.captions))
    cut = rows_digest(annotation_rows(ref.source, ref.key, reading.segments))
    if isinstance(reading, Annotation):
        return said, cut
    row = clip_to_row(normalise(reading))
    return said, cut, row["clip_id"], row["content"], row["group"], row["official_split"]


def test_the_manifest_says_what_the_table_shows(tree: Tree) -> None:
    manifest = source_manifest(tree.source)
    assert manifest["reader"] == tree.source
    assert manifest["tested"] in {"real files", "files of the same layout"}
    assert manifest_rows(tree.source)
    assert manifest["traps"]


def test_what_is_not_read_says_how_to_bring_it() -> None:
    for name in source_names():
        manifest = source_manifest(name)
        if manifest["reader"] == "none":
            assert manifest["tested"] in {"not released", "not read"}
            assert len(manifest["bring_your_own"]) > 20


def test_its_files_are_its_own_and_every_other_reader_leaves_them(tree: Tree) -> None:
    others = set(getattr(tree.module, "BESIDE", ()))
    assert {claim.source for claim in tree.found.claims} == {tree.source} | others
    assert len(tree.refs) >= 2


def test_refs_are_told_apart_and_addressed(tree: Tree) -> None:
    keys = [ref.key for ref in tree.refs]
    assert len(keys) == len(set(keys))
    for ref in tree.refs:
        assert (ref.source, ref.root.is_dir(), ref.path.is_file()) == (tree.source, True, True)
        assert ref.uid == ref.uid.lower()
        assert "/" in ref.uid
        assert not ref.key.startswith("/")
        assert ref.size >= 0


def test_keys_and_content_do_not_depend_on_where_the_folder_lies(tree: Tree, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(tree.root, moved)
    for given in (moved, moved.parent):
        refs = refs_of(tree.source, recognise([given]))
        assert [(ref.key, ref.uid) for ref in refs] == [(ref.key, ref.uid) for ref in tree.refs]
    assert tuple(content(ref) for ref in refs) == tree.content


def test_reading_twice_gives_the_same_and_writes_nothing(tree: Tree) -> None:
    before = state_of(tree.root)
    again = [pickle.loads(pickle.dumps(ref)) for ref in tree.refs]  # noqa: S301 - our own bytes, as processes send them
    assert tuple(content(ref) for ref in again) == tree.content
    assert state_of(tree.root) == before


def test_a_clip_is_a_plausible_person_with_provenance(tree: Tree) -> None:
    for ref in tree.refs:
        raw = SOURCES[ref.source].read(ref, ReadOptions())
        assert pickle.loads(pickle.dumps(raw)).ref == ref  # noqa: S301 - readings cross process borders
        assert not raw.faults
        if isinstance(raw, Annotation):
            assert raw.captions or raw.segments
            continue
        clip = normalise(raw)
        assert clip.fps > 0
        assert clip.provenance["licence"]
        assert clip.provenance["file"]
        assert clip.group
        assert not {"left_right_exchanged", "upside_down", "implausible_size"} & set(clip.flags)
        assert all(caption.text.strip() for caption in raw.captions)


def test_a_file_that_was_cut_short_is_refused_by_name_and_costs_nothing_else(tree: Tree, tmp_path: Path) -> None:
    endings = getattr(tree.module, "DAMAGED", MOTION)
    ref = next((ref for ref in tree.refs if ref.path.suffix.lower() in endings), None)
    if ref is None:
        pytest.skip("annotations only: their tests damage them")
    root = tmp_path / "damaged"
    shutil.copytree(tree.root, root)
    path = root / ref.path.relative_to(tree.root)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2 - 3])
    refused: dict[ClipRef, str] = {}
    read: set[str] = set()
    for again in refs_of(tree.source, recognise([root])):
        try:
            content(again)
            read.add(again.key)
        except (SourceFormatError, ClipError) as error:
            refused[again] = str(error)
    assert {again.path for again in refused} == {path}
    assert all(path.name in problem for problem in refused.values())
    assert read >= {other.key for other in tree.refs if other.path != ref.path}


def test_every_tree_belongs_to_a_source() -> None:
    trees = {path.stem for path in (Path(__file__).parent / "trees").glob("*.py")}
    assert trees == set(SOURCES), "a source without tests/motionunion/sources/trees/<source>.py, or a tree without one"
