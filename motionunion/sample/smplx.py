"""The folder `smplx/`: AMASS stage II files of SMPL-X bodies at 120 fps, without captions."""

from __future__ import annotations

from pathlib import Path

from motionunion.sample.archive import npz_bytes
from motionunion.sample.programme import plan
from motionunion.sample.smpl_files import smplx_archive

_FIRST = 920_000
_FPS = 120.0


def write_smplx(root: Path, seed: int, files: int) -> list[Path]:
    """Write `<subset>/<subject>/<name>_stageii.npz` for some recordings of their own."""
    paths = []
    for recording in plan(max(files, 3), seed, first=_FIRST, prefix="Synthetic_SMPLX"):
        path = root / f"{recording.address}_stageii.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(npz_bytes(smplx_archive(recording.take(), _FPS)))
        paths.append(path)
    return paths
