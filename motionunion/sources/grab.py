"""GRAB (Taheri et al. 2020, ECCV): ten people grasp 51 objects; whole bodies captured by markers and fitted with SMPL-X.

Licence: non-commercial research. `grab/s1/airplane_fly_1.npz`: plain `gender`, `sbj_id`, `obj_name`, `motion_intent`,
`framerate` (120), and pickled dictionaries, of which `body` is read: `params` with `transl (T, 3)` and `fullpose (T, 165)`
axis-angle. Hands are real here. +Z up, metres.

Each person's body is a mesh of its own (`tools/subject_meshes/<gender>/s1.ply`) with the shape numbers fitted to it beside
(`s1_betas.npy`). The numbers are used where they are found; without them the body is the mean one (flag `no_shape`).

All takes are in AMASS's SMPL-X release too, under the same names; so the uid is AMASS's, and captions, groups and splits of
either meet. Official split: by object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from manifests import source_manifest
from motionunion.clip import Caption, ClipRef, RawClip
from motionunion.errors import SourceFormatError
from motionunion.formats.npy import Array, read_npy
from motionunion.formats.npz import read_npz
from motionunion.formats.plain_pickle import read_object_array
from motionunion.sources.amass_names import uid_of
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.npz_listing import members_in
from motionunion.sources.smpl_parameters import (
    Body,
    Pose,
    one_shape,
    parted_pose,
    shaped,
    smpl_clip,
    stated_rate,
    text_of,
    whole_pose,
    with_expression,
)

_MEMBERS = frozenset({"body", "lhand", "rhand", "object", "contact", "sbj_id", "obj_name"})
_SUBJECT = re.compile(r"s\d+")
_PARTS = {"jaw": ("jaw_pose", 3), "expression": ("expression", 10)}


class Grab:
    """Reader of GRAB as its own site has it."""

    name = "grab"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files with a body, two hands and an object; damaged ones beside them too."""
        found = members_in(folder)
        whole = {name for name, members in found.items() if members is not None and members >= _MEMBERS}
        if not whole:
            return None
        damaged = {name for name, members in found.items() if members is None}
        return Claim(self.name, folder.top, tuple(sorted(folder.path / name for name in whole | damaged)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npz, sorted by key: subject and name."""
        refs = []
        for path in claim.files:
            key = f"{path.resolve().parent.name}/{path.stem}"
            refs.append(ClipRef(source=self.name, key=key, uid=uid_of(f"GRAB/{key}"), path=path, root=claim.root,
                                size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npz. Raises `SourceFormatError` or `ClipError`."""
        path = ref.path
        plain = read_npz(path, (), ("gender", "sbj_id", "obj_name", "motion_intent", "framerate"))
        params = _params(path)
        pose = _pose(params, path)
        trans = shaped(params, "transl", path, len(pose.rotvecs_T22x3), 3)
        manifest = source_manifest(self.name)
        fps, labels = (
            stated_rate(plain, path, ("framerate",)) if "framerate" in plain else (Fraction(manifest["fps"]), {})
        )
        gender = text_of(plain.get("gender"))
        betas, betas_file = _betas(path, gender, text_of(plain.get("sbj_id")))
        raw = smpl_clip(ref, pose, trans, Body(gender=gender, betas=betas), fps, options, up=str(manifest["up"]))
        thing, _, action = path.stem.partition("_")
        labels = {**labels, "subject": ref.key.partition("/")[0], "object": thing, "action": _action(action)}
        intent = text_of(plain.get("motion_intent"))
        if intent:
            labels["intent"] = intent
        return replace(
            raw,
            official_split=next((side for side in ("test", "val") if thing in manifest["objects"][side]), "train"),
            captions=_captions(ref.uid, labels, manifest["caption"]),
            labels=labels,
            flags=() if betas is not None else ("no_shape",),
            inputs=(path,) if betas_file is None else (path, betas_file),
        )


def _params(path: Path) -> dict[str, Array]:
    body: Any = read_object_array(path, "body")
    value = body.item() if body.size == 1 else None
    params = value.get("params") if isinstance(value, dict) else None
    arrays = {str(name): array for name, array in params.items()} if isinstance(params, dict) else {}
    arrays = {
        name: array for name, array in arrays.items() if isinstance(array, np.ndarray) and array.dtype.kind in "fiu"
    }
    missing = [name for name in ("transl", "global_orient", "body_pose") if name not in arrays]
    if "fullpose" in arrays:
        missing = [name for name in missing if name == "transl"]
    if missing:
        raise SourceFormatError(path, f"its body has no params {', '.join(missing)}", reason="missing_array")
    return arrays


def _pose(params: dict[str, Array], path: Path) -> Pose:
    if "fullpose" not in params:  # hands are principal components then, of a model that is not here
        return parted_pose(params, path, "smplx", root="global_orient", body="body_pose", parts=_PARTS)
    return with_expression(whole_pose(params["fullpose"], path, ("smplx",)), params, path)


def _betas(path: Path, gender: str | None, subject: str | None) -> tuple[npt.NDArray[np.float64] | None, Path | None]:
    """Shape numbers of a person, from the folder of meshes that lies beside `grab` or above it."""
    subject = subject if subject and _SUBJECT.fullmatch(subject) else path.resolve().parent.name
    if gender not in ("male", "female") or not _SUBJECT.fullmatch(subject):
        return None, None
    for folder in path.resolve().parents[1:4]:
        file = folder / "tools" / "subject_meshes" / gender / f"{subject}_betas.npy"
        if file.is_file():
            return one_shape({"betas": read_npy(file).reshape(-1)}, file), file
    return None, None


def _action(text: str) -> str:
    """`fly_1` and `lift` without the number of the repetition, and without `_Retake`."""
    return re.sub(r"(_\d+|_retake)+$", "", text.lower())


def _captions(uid: str, labels: dict[str, str], tables: dict[str, dict[str, str]]) -> tuple[Caption, ...]:
    doing, thing = tables["action"].get(labels["action"]), tables["object"].get(labels["object"])
    if doing is None or thing is None:
        return ()
    text = f"a person {doing.format(object=thing)}"
    return (Caption(uid=uid, text=text, layer="labels", generator="template"),)
