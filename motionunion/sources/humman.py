"""HuMMan, motion generation subset (Cai et al. 2022, arXiv:2204.13686; Zhang et al. 2023, FineMoGen): fitness actions with texts.

Licence: S-Lab, non-commercial. `smpl_on_ground/p000459_a000011.npz` holds `global_orient (T, 3)`, `body_pose (T, 69)`, `transl
(T, 3)` and `betas (T, 10)` of SMPL's neutral body; `annotations/<same name>.json` lists the phases of the action with first
and last frame and sentences for the whole body (`all`, read as captions of their phase) and for seven parts of it (not
read). `r` for `a` in a name says that it is the mirror image of that motion; both are one group.

Neither rate nor axis is in the files. Both follow from the authors' own viewer (`tools/visualizer_3d.py`), which lays a
ground plane under z = 0 and plays a frame per frame at 30 fps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.json_text import read_json
from motionunion.formats.npz import list_members, read_npz
from motionunion.sources.base import Claim, Folder, ReadOptions, refs_by_stem
from motionunion.sources.smpl_parameters import Body, fitted_shape, parted_pose, shaped, smpl_clip

_NAME = re.compile(r"p(?P<person>\d{6})_(?P<side>[ar])(?P<action>\d{6})")
_ARRAYS = frozenset({"global_orient", "body_pose", "transl", "betas"})


class HuMMan:
    """Reader of HuMMan's motion generation subset."""

    name = "humman"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files that bear this set's names and arrays, and the phases in `annotations` beside them."""
        files = _motions(folder)
        inner, beside = folder.below("smpl_on_ground"), folder.below("annotations")
        if inner is not None and beside is not None and _motions(inner):
            files += [beside.path / name for name in beside.with_suffix(".json") if _NAME.fullmatch(Path(name).stem)]
        return Claim(self.name, folder.top, tuple(sorted(files))) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npz, sorted by key, which is the file's name."""
        return refs_by_stem(self.name, claim, ".npz")

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npz and its phases. Raises `SourceFormatError` or `ClipError`."""
        arrays = read_npz(ref.path, sorted(_ARRAYS))
        pose = parted_pose(arrays, ref.path, "smpl", root="global_orient", body="body_pose", parts={})
        manifest = source_manifest(self.name)
        fps = Fraction(manifest["fps"])
        trans = shaped(arrays, "transl", ref.path, len(pose.rotvecs_T22x3), 3)
        betas, flags = fitted_shape(arrays, ref.path)
        body = Body(gender="neutral", betas=betas)
        raw = smpl_clip(ref, pose, trans, body, fps, options, up=str(manifest["up"]))
        phases = ref.path.parent.parent / "annotations" / f"{ref.path.stem}.json"
        captions, faults = _captions(phases, ref.uid, fps)
        found = _NAME.fullmatch(ref.path.stem)
        labels = {} if found is None else {"person": found["person"], "action": found["action"]}
        if found is not None and found["side"] == "r":
            flags = (*flags, "mirrored")
        return replace(
            raw,
            group=None if found is None else f"{self.name}/p{found['person']}_a{found['action']}",
            captions=captions,
            labels=labels,
            flags=flags,
            inputs=(ref.path, phases) if phases.is_file() else (ref.path,),
            faults=faults,
        )


def _motions(folder: Folder) -> list[Path]:
    names = [name for name in folder.with_suffix(".npz") if _NAME.fullmatch(Path(name).stem)]
    return [folder.path / name for name in names if _has_arrays(folder.path / name)]


def _has_arrays(path: Path) -> bool:
    try:
        return frozenset(list_members(path)) >= _ARRAYS
    except SourceFormatError:
        return True  # damaged, and named as this set names its files: reading it says what is wrong


def _captions(path: Path, uid: str, fps: Fraction) -> tuple[tuple[Caption, ...], tuple[SourceFormatError, ...]]:
    """The sentence of each phase, with its times; a bad file costs them and no more."""
    if not path.is_file():
        return (), ()
    try:
        phases = read_json(path, "bad_caption")
        return tuple(_caption(phase, uid, fps) for phase in phases if str(phase["all"]).strip()), ()
    except (KeyError, TypeError, ValueError) as error:
        problem = f"is no list of phases with start_frame, end_frame and all ({error!r})"
        return (), (SourceFormatError(path, problem, reason="bad_caption"),)
    except SourceFormatError as error:
        return (), (error,)


def _caption(phase: dict[str, object], uid: str, fps: Fraction) -> Caption:
    start, end = (int(str(phase[name])) for name in ("start_frame", "end_frame"))
    if not 0 <= start < end < 10**9:  # JSON can write integers that no float holds
        raise ValueError(f"a phase from frame {start} to {end}")
    text = " ".join(str(phase["all"]).split())
    return Caption(uid=uid, text=text, start_s=float(start / fps), end_s=float(end / fps), layer="humman")
