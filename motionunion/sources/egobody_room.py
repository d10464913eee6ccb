"""What lies around EgoBody's fits: the tables of recordings, and where each one's camera stands in its room."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.captions import read_text
from motionunion.clip import SPLITS
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.json_text import read_json
from motionunion.sources.base import Folder

TABLES = ("data_splits.csv", "data_info_release.csv")

_RIGID = 1e-3


def is_table(head: bytes) -> bool:
    """Whether a file begins as one of EgoBody's tables does."""
    first = head.partition(b"\n")[0]
    return b"recording_name" in first or first.strip() == b"train,val,test"


def calibrations_in(calibrations: Folder) -> list[Path]:
    """Every file that says where a camera stands, below the folder `calibrations`."""
    files: list[Path] = []
    for name in calibrations.folders:
        recording = calibrations.below(name)
        inner = recording and (recording.below("cal_trans") or recording)
        world = inner and inner.below("kinect12_to_world")
        if world:
            files += [world.path / table for table in world.with_suffix(".json")]
    return files


def home_of(person: Path) -> Path:
    """The folder that holds `calibrations` and the tables: above the folder of fits, or that folder itself."""
    _, fits, top, *_ = (*person.resolve().parents, person, person)
    return next((folder for folder in (top, fits) if (folder / "calibrations").is_dir()), top)


def recordings(home: Path) -> dict[str, dict[str, str]]:
    """What the tables say of each recording: `split`, `scene`, `gender_0` and `gender_1`. Raises `SourceFormatError`."""
    return _read_tables(tuple((path, path.stat().st_mtime_ns) for name in TABLES if (path := home / name).is_file()))


@lru_cache(maxsize=4)
def _read_tables(states: tuple[tuple[Path, int], ...]) -> dict[str, dict[str, str]]:
    about: dict[str, dict[str, str]] = defaultdict(dict)
    for path, _changed in states:
        try:
            rows = list(csv.DictReader(io.StringIO(read_text(path))))
        except csv.Error as error:
            raise SourceFormatError(path, f"is no table ({error})", reason="bad_table") from error
        for row in rows:
            if "recording_name" not in row:
                for split in SPLITS:
                    if row.get(split):
                        about[row[split].strip()]["split"] = split
                continue
            known = about[(row["recording_name"] or "").strip()]  # None where a line ends before its column
            if row.get("scene_name"):
                known["scene"] = row["scene_name"].strip()
            for index in ("0", "1"):
                gender = (row.get(f"body_idx_{index}") or "").split()
                if gender and gender[-1] in ("male", "female"):
                    known[f"gender_{index}"] = gender[-1]
    return dict(about)


def calibration_of(home: Path, recording: str, scene: str | None, path: Path) -> Path:
    """The file that says where the camera of a recording stands in its room. Raises `ClipError`, `no_calibration`.

    Args:
        home: The folder that holds `calibrations`.
        recording: Name of the recording.
        scene: Name of its room, where the tables tell it.
        path: The fit that wants it, for the error.
    """
    found: list[Path] = []
    for inner in ("cal_trans/kinect12_to_world", "kinect12_to_world"):
        found += sorted((home / "calibrations" / recording / inner).glob("*.json"))
    named = [file for file in found if file.stem == scene] or found
    if len(named) != 1:
        raise ClipError(
            f"{path}: {'no' if not named else 'more than one'} calibration of {recording} beside the fits, and in the camera's "
            f"own frame no axis points up: unpack calibrations.zip so that calibrations/{recording} lies beside "
            "smplx_interactee_... and the like",
            reason="no_calibration",
        )
    return named[0]


def turn_and_shift(path: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Turn (4,), wxyz, and shift (3,), metres, from the camera to the room. Raises `SourceFormatError`, `bad_calibration`."""
    try:
        matrix = np.asarray(read_json(path, "bad_calibration")["trans"], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceFormatError(path, f"is no calibration ({error!r})", reason="bad_calibration") from error
    turn = matrix[:3, :3] if matrix.shape == (4, 4) and np.isfinite(matrix).all() else np.zeros((3, 3))
    if np.abs(turn @ turn.T - np.eye(3)).max() > _RIGID or np.linalg.det(turn) < 0:
        raise SourceFormatError(path, "trans is no turn and shift of the room", reason="bad_calibration")
    left, _, right = np.linalg.svd(turn)
    return rotation.from_matrix(left @ right), matrix[:3, 3]
