"""Sets of SMPL parameters, read from the archives that were downloaded."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motionunion.engines.serial import Serial
from motionunion.ingest.run import ingest

SETS = ("aistpp", "behave", "egobody", "grab", "humman", "motionhub")


@pytest.mark.slow
def test_archives_of_all_sets_give_what_their_folders_give(
    tmp_path: Path, write_tree: Callable[[str, Path], Any]
) -> None:
    folders, archives = tmp_path / "folders", tmp_path / "archives"
    archives.mkdir()
    for name in SETS:
        write_tree(name, folders / name)
        with zipfile.ZipFile(archives / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted((folders / name).rglob("*")):
                packed.write(path, path.relative_to(folders))
    loose, packed_up = (
        ingest([paths], tmp_path / f"{paths.name}_store", executor=Serial()) for paths in (folders, archives)
    )
    assert set(loose.sources) == set(SETS)
    assert (loose.refused, packed_up.refused) == (0, 0)
    assert packed_up.clips == loose.clips == 3 + 2 + 3 + 2 + 2 + 3
    assert packed_up.fingerprint == loose.fingerprint
