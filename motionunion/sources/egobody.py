"""EgoBody (Zhang et al. 2022, arXiv:2112.07642): two people in a room, filmed by Kinects, one of them wearing a HoloLens.

Licence: non-commercial research after registration. One pickle per frame and person:

    smplx_interactee_train/recording_20210907_S02_S01_01/body_idx_0/results/frame_01888/000.pkl
    smplx_camera_wearer_train/recording_20210907_S02_S01_01/body_idx_1/...       the other person
    calibrations/recording_.../cal_trans/kinect12_to_world/<scene>.json         from the camera to the room
    data_splits.csv, data_info_release.csv                                        sides, genders, scenes

with `global_orient (1, 3)`, `body_pose (1, 63)`, `transl`, `betas (1, 10)`, `jaw_pose`, `expression` and hands as 12 principal
components each, which need the body model to be understood and are left out. `smpl_...` folders have SMPL's `body_pose
(1, 69)` instead; both fits of a recording share a group.

The parameters are in the colour camera of the first Kinect, which looks down at the people: no axis points up. The
calibration turns them into the room (+Y up, metres), one frame for both people; without it a recording is refused.
30 fps (sanweiliti/EgoBody#6). Frames without a fit are missing, so a recording may be several clips, one for each stretch
without a gap: then keys end in `#` and the number of the first frame, which is a label of every clip; frames of one number
are one moment of both people.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from manifests import source_manifest
from motionunion import rotation
from motionunion.clip import ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.npy import Array
from motionunion.formats.plain_pickle import read_plain_pickle
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.egobody_room import (
    TABLES,
    calibration_of,
    calibrations_in,
    home_of,
    is_table,
    recordings,
    turn_and_shift,
)
from motionunion.sources.smpl_parameters import Body, Pose, fitted_shape, parted_pose, shaped, smpl_clip
from motionunion.sources.two_people import ONE_OF_TWO

_BODY = re.compile(r"body_idx_\d+")
_FRAME = re.compile(r"frame_(\d+)")
_FIT = "000.pkl"
_NEEDED = ("global_orient", "body_pose", "transl")
_PARTS = {"jaw": ("jaw_pose", 3), "expression": ("expression", 10), "eyes": ("eyes", 6)}


class EgoBody:
    """Reader of EgoBody's SMPL-X and SMPL fits."""

    name = "egobody"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim the fits of one person, and at the top of the set its tables and the calibrations of the camera."""
        files = [folder.path / name for name in TABLES if name in folder.names and is_table(folder.head(name, 4096))]
        calibrations = folder.below("calibrations")
        if calibrations is not None:
            files += calibrations_in(calibrations)
        if _BODY.fullmatch(folder.path.name):
            files += _fits(folder)
        return Claim(self.name, folder.top, tuple(sorted(files))) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per person and stretch of frames without a gap, sorted by key."""
        people: dict[Path, dict[int, Path]] = defaultdict(dict)
        for path in claim.files:
            frame = _FRAME.fullmatch(path.parent.name)
            if path.name == _FIT and frame:
                people[path.parents[2]][int(frame[1])] = path
        refs = []
        for person, fits in people.items():
            stretches = list(_stretches(sorted(fits)))
            recording = f"{person.resolve().parent.name}/{person.name}"
            key = f"{_family(person, fits[stretches[0][0]])}/{recording}"
            for stretch in stretches:
                paths = [fits[number] for number in stretch]
                refs.append(
                    ClipRef(
                        source=self.name,
                        key=key if len(stretches) == 1 else f"{key}#{stretch[0]:05d}",
                        uid=f"{self.name}/{recording}".lower() + ("" if len(stretches) == 1 else f"#{stretch[0]:05d}"),
                        path=paths[0],
                        root=claim.root,
                        size=sum(path.stat().st_size for path in paths),
                        more=tuple(paths[1:]),
                    )
                )
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one person's stretch of frames. Raises `SourceFormatError` or `ClipError`."""
        paths = (ref.path, *ref.more)
        frames = [read_plain_pickle(path) for path in paths]
        arrays = _stacked(frames, paths)
        person = ref.path.parents[2]
        recording, home = person.resolve().parent.name, home_of(person)
        about = recordings(home).get(recording, {})
        body_index = person.name.removeprefix("body_idx_")
        gender = _gender(frames[0]) or about.get(f"gender_{body_index}")
        betas, flags = fitted_shape(arrays, ref.path)
        manifest = source_manifest(self.name)
        pose = _pose(arrays, ref.path)
        trans = shaped(arrays, "transl", ref.path, len(frames), 3)
        body = Body(gender=gender, betas=betas)
        raw = smpl_clip(ref, pose, trans, body, Fraction(manifest["fps"]), options, up=str(manifest["up"]))
        assert raw.quats_TJ4 is not None
        assert raw.root_T3 is not None
        world = calibration_of(home, recording, about.get("scene"), ref.path)
        turn, shift_3 = turn_and_shift(world)
        quats = np.array(raw.quats_TJ4)
        quats[:, 0] = rotation.multiply(turn, quats[:, 0])
        labels = {"recording": recording, "person": body_index, "scene": world.stem}
        labels["first_frame"] = ref.path.parent.name.removeprefix("frame_")
        if body_index in ("0", "1"):
            labels["partner"] = f"{ref.key.partition('body_idx_')[0]}body_idx_{1 - int(body_index)}"
        role = re.fullmatch(r"smplx?_(interactee|camera_wearer)(_\w+)?", person.resolve().parents[1].name)
        if role:
            labels["role"] = role[1]
        return replace(
            raw,
            quats_TJ4=quats,
            root_T3=rotation.rotate(turn, raw.root_T3) + shift_3,
            group=f"{self.name}/{recording}".lower(),
            official_split=about.get("split"),
            labels=labels,
            flags=(ONE_OF_TWO, *flags),
            inputs=(*paths, world),
        )


def _fits(person: Folder) -> list[Path]:
    results = person.below("results")
    frames = [] if results is None else [name for name in results.folders if _FRAME.fullmatch(name)]
    if results is None or not frames:
        return []
    first = results.below(frames[0])
    if first is None or b"global_orient" not in first.head(_FIT):
        return []
    inner = (results.below(name) for name in frames)
    return [frame.path / _FIT for frame in inner if frame is not None and _FIT in frame.names]


def _stretches(numbers: Sequence[int]) -> Iterator[list[int]]:
    """Runs of consecutive numbers."""
    for _, run in itertools.groupby(enumerate(numbers), key=lambda at: at[1] - at[0]):
        yield [number for _, number in run]


def _family(person: Path, fit: Path) -> str:
    """Whose parameters a folder has: by its name, or by the jaw that only SMPL-X has."""
    above = person.resolve().parents[1].name
    if above.startswith(("smplx_", "smpl_")):
        return above.partition("_")[0]
    with fit.open("rb") as file:
        return "smplx" if b"jaw_pose" in file.read(1 << 16) else "smpl"


def _stacked(frames: Sequence[dict[str, Any]], paths: Sequence[Path]) -> dict[str, Array]:
    """Arrays of all frames by name, (T, n); names that only some frames have are left out."""
    rows: list[dict[str, Array]] = []
    for frame, path in zip(frames, paths, strict=True):
        row = {name: value.reshape(-1) for name, value in frame.items() if _is_numbers(value)}
        missing = [name for name in _NEEDED if name not in row]
        if missing:
            raise SourceFormatError(path, f"has no array of numbers {', '.join(missing)}", reason="missing_array")
        rows.append(row)
    shapes = {name: value.shape for name, value in rows[0].items()}
    for row, path in zip(rows, paths, strict=True):
        other = [name for name in _NEEDED if row[name].shape != shapes[name]]
        if other:
            raise SourceFormatError(
                path, f"{other[0]} has {row[other[0]].shape[0]} numbers, the first frame's {shapes[other[0]][0]}",
                reason="bad_shape",
            )  # fmt: skip
    whole = [name for name, shape in shapes.items() if all(name in row and row[name].shape == shape for row in rows)]
    return {name: np.stack([row[name] for row in rows]) for name in whole}


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def _pose(arrays: dict[str, Array], path: Path) -> Pose:
    family = "smpl" if arrays["body_pose"].shape[1] == 69 else "smplx"
    eyes = [arrays[name] for name in ("leye_pose", "reye_pose") if name in arrays]
    more = {"eyes": np.concatenate(eyes, axis=1)} if len(eyes) == 2 and family == "smplx" else {}
    return parted_pose({**arrays, **more}, path, family, root="global_orient", body="body_pose", parts=_PARTS)


def _gender(frame: dict[str, Any]) -> str | None:
    gender = frame.get("gender")
    text = (
        gender
        if isinstance(gender, str)
        else str(gender.item())
        if isinstance(gender, np.ndarray) and gender.size == 1
        else ""
    )
    return text.lower() if text.lower() in ("male", "female", "neutral") else None
