"""Features normalised once, so that a training crop is a copy of memory: an array beside the one that it is made from.

`normalised-<statistics hash>.npy` (N, D) float32 holds `statistics.normalise(values)`, and the JSON of the same name its
digest. Half precision would save reading and cost the reproducibility of runs on a CPU; losses are taken in float32.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from motionunion.digest import TEMPORARY_PREFIX, fsync_directory, name_aside, sha256_file
from motionunion.errors import StoreError, UsageError
from motionunion.feature_files import (
    VALUES,
    is_left_alone,
    open_rows,
    read_pieces,
    read_sealed,
    write_rows,
    write_sealed,
)
from motionunion.progress import Progress
from motionunion.statistics import Statistics

if TYPE_CHECKING:
    from motionunion.features import FeatureSet


def normalised(
    features: FeatureSet, statistics: Statistics, *, verify: bool, progress: Progress
) -> npt.NDArray[np.float32]:
    """See `motionunion.features.FeatureSet.normalised`."""
    if statistics.representation != features.representation:
        raise UsageError(f"statistics of {statistics.representation} do not normalise {features.representation}")
    if not isinstance(features.values, np.memmap):
        return statistics.normalise(features.values)
    path = features.path / f"normalised-{statistics.hash[:16]}.npy"
    about = path.with_suffix(".json")
    rows, dims = features.values.shape
    if not _is_there(path, about, features, statistics, verify=verify):
        try:
            _remove_leftovers(features.path)
            _write(path, about, features, statistics, progress)
        except OSError as error:
            raise StoreError(
                f"{features.path}: normalised features cannot be written ({error}); they need "
                f"{4 * rows * dims / 1e9:.1f} GB beside {VALUES}, make room or permission and run the same command again"
            ) from error
    return open_rows(path, (rows, dims))


def _is_there(path: Path, about: Path, features: FeatureSet, statistics: Statistics, *, verify: bool) -> bool:
    """Whether the copy is there and what it has to be; a damaged one counts as missing, for it can be written again."""
    try:
        meta = read_sealed(about)
        open_rows(path, (features.values.shape[0], features.values.shape[1]))
        if (meta["values_sha256"], meta["statistics_hash"]) != (features.values_sha256, statistics.hash):
            return False
        return not verify or sha256_file(path) == meta["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(path: Path, about: Path, features: FeatureSet, statistics: Statistics, progress: Progress) -> None:
    """Write the copy aside, verify what it was made from, rename it into place, and only then say that it is there."""
    shape = (features.values.shape[0], features.values.shape[1])
    source = hashlib.sha256()
    aside = name_aside(path, suffix=".npy")
    try:
        pieces = read_pieces(features.path / VALUES, shape, source)
        try:
            sha256 = write_rows(aside, shape, (statistics.normalise(piece) for piece in pieces), progress)
            intact = source.hexdigest() == features.values_sha256
        except ValueError:  # it ends early
            intact = False
        if not intact:
            raise StoreError(
                f"{features.path / VALUES}: damaged, it is not the file that was written; delete the folder "
                f"{features.path}, it will be built again"
            )
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    fsync_directory(path.parent)
    meta = {
        "format": 1,
        "features_key": features.key,
        "values_sha256": features.values_sha256,
        "statistics": statistics.provenance,
        "statistics_hash": statistics.hash,
        "sha256": sha256,
    }
    write_sealed(about, meta)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left unfinished long ago; a younger file may belong to one at work."""
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if is_left_alone(path):
            path.unlink(missing_ok=True)
