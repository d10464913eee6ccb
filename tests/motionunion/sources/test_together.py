"""All data sets in one folder, and that folder in an archive: nobody takes what is another's, and nothing is lost on the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motionunion.ingest.run import ingest
from motionunion.sources import SOURCES
from motionunion.sources.detect import recognise
from motionunion.store.store import open_store


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory, write_tree: Callable[[str, Path], Any]) -> Path:
    root = tmp_path_factory.mktemp("together") / "raw"
    for name in SOURCES:
        write_tree(name, root / name)
    return root


def claims(path: Path) -> dict[str, set[str]]:
    """Files by source."""
    found: dict[str, set[str]] = {}
    for claim in recognise([path]).claims:
        found.setdefault(claim.source, set()).update(file.relative_to(path).as_posix() for file in claim.files)
    return found


def test_a_file_is_the_same_source_s_alone_and_among_all_others(everything: Path) -> None:
    alone: dict[str, set[str]] = {}
    for name in SOURCES:
        for source, files in claims(everything / name).items():
            alone.setdefault(source, set()).update(f"{name}/{file}" for file in files)
    assert claims(everything) == alone


@pytest.mark.slow
def test_all_sources_give_the_same_store_from_a_folder_and_from_an_archive_of_it(
    everything: Path, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "raw"), "zip", everything)
    from_folder = ingest([everything], tmp_path / "folder")
    from_archive = ingest([Path(archive)], tmp_path / "archive")
    with open_store(tmp_path / "folder") as one, open_store(tmp_path / "archive") as two:
        said = "SELECT source, key, content FROM clips ORDER BY ALL"
        assert one.rows(said) == two.rows(said)
        refused = [row[:3] for row in one.rows("SELECT source, key, reason FROM rejects ORDER BY ALL")]
        sources = {source for (source,) in one.rows("SELECT DISTINCT source FROM receipts")}
        with_motion = {source for (source,) in one.rows("SELECT DISTINCT source FROM clips")}
        selection = one.features("hml263@20/compat")
    assert refused == []
    assert sources == set(SOURCES)
    assert {name: count.clips for name, count in from_folder.sources.items()} == {
        name: count.clips for name, count in from_archive.sources.items() if name != "archive"
    }
    assert {span.source for span in selection.spans} == with_motion
    assert not selection.features.skipped
    assert all(np.isfinite(values).all() for values in selection)
