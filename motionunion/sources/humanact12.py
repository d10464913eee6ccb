"""HumanAct12 (Guo et al. 2020, "Action2Motion"): 1,191 short clips of twelve actions, as HumanML3D's repository holds them.

`pose_data/humanact12/humanact12/P01G02R03F0004T0005A0601.npy`: (frames, 24, 3) positions of the SMPL joints, metres, +Y up, taken
as 20 fps. Derived from PHSPD (polarised images of a person, fitted with SMPL). The name says person, group, repetition,
first and last frame, action; `T - F + 1` is the number of frames.

Traps: the axes are left-handed. HumanML3D exchanges Y and Z of every source, a reflection, and undoes it by negating X, but
not for these files (EricGuo5513/HumanML3D#147), so that the left arm moves where the caption says right. Here X is negated,
and whoever compares with HumanML3D's own features of these ids compares mirror images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.npy import npy_head, read_npy
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.feature_folder import refuse_non_finite
from motionunion.sources.humanact12_names import PATTERN, humanact12_frames, humanact12_uid
from motionunion.sources.smpl_joints import joints_clip


class HumanAct12:
    """Reader of joints of HumanAct12, known by their names and shape."""

    name = "humanact12"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim arrays with such a name that hold joints, and damaged ones."""
        files = [folder.path / name for name in folder.with_suffix(".npy") if PATTERN.fullmatch(Path(name).stem)]
        files = [path for path in files if _is_joints(path)]
        return Claim(self.name, folder.top, tuple(files)) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per file; where a name occurs twice, the first path's."""
        refs = {
            path.stem: ClipRef(
                source=self.name, key=path.stem, uid=humanact12_uid(path.name), path=path, root=claim.root,
                size=path.stat().st_size,
            )
            for path in sorted(claim.files, reverse=True)
        }  # fmt: skip
        yield from (refs[key] for key in sorted(refs))

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one. Raises `SourceFormatError`, or `ClipError` for values that are no numbers."""
        joints = read_npy(ref.path)
        named = PATTERN.fullmatch(ref.path.stem)
        if named is None or joints.ndim != 3 or joints.shape[1] < 22 or joints.shape[2] != 3 or not len(joints):
            raise SourceFormatError(ref.path, f"has shape {joints.shape}, not (T, 22 or 24, 3)", reason="bad_shape")
        refuse_non_finite(joints, ref.path)
        frames = humanact12_frames(ref.path.name)
        if frames is not None and abs(len(joints) - frames) > 1:
            raise ClipError(
                f"{ref.path}: has {len(joints)} frames, and its name speaks of {frames}: it is not as it was released, and "
                "nothing says what its frame rate is",
                reason="unknown_frame_rate",
            )
        manifest = source_manifest(self.name)
        actions = manifest["caption"]["action"]
        action = actions.get(named["action"])
        text = None if action is None else f"a person {action['text']}"
        return replace(
            joints_clip(ref, joints[:, :22], Fraction(manifest["fps"]), up=manifest["up"], body="own"),
            reflected=True,
            # Repetitions of one group are takes of one person doing one thing after another.
            group=f"{self.name}/p{named['person']}g{named['group']}",
            captions=() if text is None else (Caption(uid=ref.uid, text=text, layer="labels", generator="template"),),
            labels={
                "person": f"P{named['person']}",
                "action": named["action"] + named["variant"],
                **({"content": action["name"]} if action is not None else {}),
            },
        )


def _is_joints(path: Path) -> bool:
    try:
        head = npy_head(path)
    except SourceFormatError:
        return True  # to be refused by name
    return len(head.shape) == 3 and head.shape[1] >= 22 and head.shape[2] == 3
