"""SMPL-family parameters of no data set that has a reader of its own: fits of videos, mostly, in files like AMASS's.

Tools that estimate people in videos (TRAM, WHAM, GVHMR, SMPLer-X and the like) and those that convert their results save
an npz with `poses`, `trans`, `betas`, `gender` and a frame rate, as AMASS does, but with another model's rotations, (T, 72)
or (T, 24, 3) for SMPL, (T, 52, 3) for SMPL+H, (T, 55, 3) for SMPL-X, or with what is known of the video beside them. Which axis
points up no such file says: in one that is AMASS's in layout (flat poses) it is AMASS's, +Z, and refused where the motion says
otherwise; in any other it is measured. The frame rate is the file's; one that states none is refused.

Licence: whatever the maker of the file says; the manifest says none. Fits of videos (flag `video_fit` where the file
tells) drift, jitter in depth, and touch the ground by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from motionunion.clip import ClipRef, RawClip
from motionunion.formats.npz import read_npz
from motionunion.sources.amass import VIDEO_KEYS, layouts_in
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.smpl_parameters import (
    RATE_KEYS,
    shaped,
    smpl_clip,
    stated_body,
    stated_rate,
    whole_pose,
    with_expression,
)


class SmplFits:
    """Reader of npz files with SMPL-family parameters of unknown origin."""

    name = "smpl_fits"
    version = 1
    suffixes: tuple[str, ...] = (".npz",)

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim npz files with `trans` and the poses of one of the models, in a form that AMASS does not have."""
        files = tuple(folder.path / name for name, layout in layouts_in(folder).items() if layout == "fits")
        return Claim(self.name, folder.top, files) if files else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One clip per npz, sorted by key: the folder that holds it, and its name."""
        refs = []
        for path in claim.files:
            key = f"{path.resolve().parent.name}/{path.stem}"
            refs.append(ClipRef(source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=path, root=claim.root,
                                size=path.stat().st_size))  # fmt: skip
        yield from sorted(refs, key=lambda ref: ref.key)

    def read(self, ref: ClipRef, options: ReadOptions) -> RawClip:
        """Read one npz. Raises `SourceFormatError` or `ClipError`."""
        path = ref.path
        arrays = read_npz(path, ("poses", "trans"), ("betas", "gender", "expression", *RATE_KEYS, *VIDEO_KEYS))
        pose = whole_pose(arrays["poses"], path)
        frames = len(pose.rotvecs_T22x3)
        if pose.family == "smplx":
            pose = with_expression(pose, arrays, path)
        fps, labels = stated_rate(arrays, path)
        body = stated_body(arrays, path)
        up = "z" if arrays["poses"].ndim == 2 else "measured"
        raw = smpl_clip(ref, pose, shaped(arrays, "trans", path, frames, 3), body, fps, options, up=up)
        flags = ("smpl72",) if pose.family == "smpl" else ()
        if any(key in arrays for key in VIDEO_KEYS):
            flags = (*flags, "video_fit")
        return replace(raw, labels={**labels, "model": pose.family}, flags=flags)
