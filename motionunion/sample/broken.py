"""Files that are bad on purpose, so that a person sees what a refusal looks like; listed in docs/sample.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionunion.sample.annotations import Annotated
from motionunion.sample.archive import npz_bytes
from motionunion.sample.smpl_files import Archive

SUBJECT = "Synthetic_Broken/s00"
BAD_FILES = ("nan_frame", "pickled", "truncated", "zero_frame_rate")
UNREADABLE_CAPTIONS = "unreadable_captions"


def write_bad_files(root: Path, good: Archive) -> list[Path]:
    """Spoil a good archive in four ways: a frame that is not a number, objects for poses, half a file, no rate."""
    folder = root / SUBJECT
    folder.mkdir(parents=True, exist_ok=True)
    nan_frame = np.array(good["poses"])
    nan_frame[len(nan_frame) // 2] = np.nan
    rows = np.empty(3, dtype=object)
    rows[:] = [row.tolist() for row in np.array(good["poses"])[:3]]
    whole = npz_bytes(good)
    contents = {
        "nan_frame": npz_bytes(good | {"poses": nan_frame}),
        "pickled": npz_bytes(good | {"poses": rows}, allow_pickle=True),
        "truncated": whole[: len(whole) * 3 // 5],
        "zero_frame_rate": npz_bytes(good | {"mocap_framerate": np.array(0.0)}),
    }
    for name in BAD_FILES:
        (folder / f"{name}_poses.npz").write_bytes(contents[name])
    return [folder / f"{name}_poses.npz" for name in BAD_FILES]


def spoil_captions(annotations: Path, row: Annotated) -> Path:
    """Rewrite the text file of one clip in Latin-1 with a letter that is not UTF-8 then."""
    path = annotations / "texts" / f"{row.name}.txt"
    path.write_bytes(
        "a person walks to the café.#a/DET person/NOUN walk/VERB to/ADP the/DET café/NOUN#0.0#0.0\n".encode("latin-1")
    )
    return path
