"""Write the whole sample: four folders of synthetic raw files, each with a note that says so."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from motionunion.clip import SPLITS, SYNTHETIC_MARKER
from motionunion.errors import MissingInput, UsageError
from motionunion.progress import SILENT, Progress

DEFAULT_CLIPS = 720
FEWEST_CLIPS = 12

_VERSION = 1  # raised whenever the same seed would give other files
_NOTE = """\
Everything in this folder is synthetic. No person was recorded: `motionunion sample` made the motions with a
procedural generator and wrote them in the file format that the folder is named after. They are for trying the
software and for testing it; results on them say nothing about human motion.

"""
_FORMATS = ("amass", "bvh", "smplx", "humanml3d")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFolder:
    """One format of the sample."""

    name: str
    path: Path
    files: int
    """Motion files, those that are bad on purpose included."""
    clips: int
    """Captioned clips; 0 where the format carries no captions."""
    captions: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """What was written."""

    root: Path
    seed: int
    folders: tuple[SampleFolder, ...]
    splits: dict[str, int]
    """Captioned clips of `amass/` per split."""
    bad: tuple[Path, ...]
    """Files that are bad on purpose, relative to `root`."""


def write_sample(
    root: Path | str, *, seed: int = 0, clips: int = DEFAULT_CLIPS, jobs: int | None = None, progress: Progress = SILENT
) -> SampleResult:
    """Write `amass/`, `bvh/`, `smplx/` and `humanml3d/` below `root`; the same seed gives the same bytes.

    Args:
        root: Folder to write into; made where it does not exist.
        seed: Seed of every random choice.
        clips: Captioned clips in `amass/` (three quarters for training, a fifth for testing).
        jobs: Worker processes; all cores where None.
        progress: Told of every batch of recordings.

    Raises:
        UsageError: If `clips` is too small, or a folder there holds something other than this very sample.
        MissingInput: If `root` cannot be written to.
    """
    if clips < FEWEST_CLIPS:
        raise UsageError(f"sample: {clips} clips are too few for three splits; ask for at least {FEWEST_CLIPS}")
    if seed < 0:
        raise UsageError(f"sample: the seed is {seed}; it must not be negative")
    base = Path(root)
    try:
        return _write(base, seed, clips, jobs or os.cpu_count() or 1, progress)
    except OSError as error:
        raise MissingInput(
            f"{error.filename or base}: cannot write the sample there ({error.strerror}); choose another folder"
        ) from error


def _write(root: Path, seed: int, clips: int, jobs: int, progress: Progress) -> SampleResult:
    from motionunion.sample.amass import ANNOTATIONS, write_amass
    from motionunion.sample.bvh import write_bvh
    from motionunion.sample.feature_folder import write_features
    from motionunion.sample.smplx import write_smplx

    settings = json.dumps({"version": _VERSION, "seed": seed, "clips": clips}, sort_keys=True)
    # The annotations may be ingested by themselves, so they carry a mark of their own.
    for name in (*_FORMATS, f"amass/{ANNOTATIONS}"):
        _claim(root / name, settings)
    rows, bad = write_amass(root / "amass", clips, seed, jobs, progress)
    write_bvh(root / "bvh", seed)
    write_smplx(root / "smplx", seed, min(8, clips // 3))
    shipped = write_features(root / "humanml3d", min(36, clips), seed)
    counts = {
        "amass": (len(rows), sum(len(row.captions) for row in rows)),
        "humanml3d": (len(shipped), sum(len(row.captions) for row in shipped)),
    }
    return SampleResult(
        root=root,
        seed=seed,
        folders=tuple(_describe(root / name, *counts.get(name, (0, 0))) for name in _FORMATS),
        splits={split: sum(row.split == split for row in rows) for split in SPLITS},
        bad=tuple(path.relative_to(root) for path in bad),
    )


def _claim(folder: Path, settings: str) -> None:
    """Mark a folder as synthetic, before anything is in it; refuse one that holds something else."""
    marker = folder / SYNTHETIC_MARKER
    note = f"{_NOTE}{settings}\n"
    if folder.exists() and any(folder.iterdir()):
        if not marker.is_file():
            raise UsageError(f"{folder}: holds files that are not a sample; choose another folder for the sample")
        if marker.read_text(encoding="utf-8", errors="replace") != note:
            raise UsageError(f"{folder}: holds a sample of another seed or size; remove it, or choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_bytes(note.encode())


def _describe(folder: Path, clips: int, captions: int) -> SampleFolder:
    files = [path for path in folder.rglob("*") if path.is_file()]
    motions = [path for path in files if path.suffix in {".npz", ".bvh"} or path.parent.name == "new_joint_vecs"]
    return SampleFolder(
        name=folder.name, path=folder, files=len(motions), clips=clips, captions=captions,
        bytes=sum(path.stat().st_size for path in files),
    )  # fmt: skip
