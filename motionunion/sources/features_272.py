"""What readers of 272 features share: from published rows to a clip with rotations, and the rows kept beside it.

The features hold joints and SMPL's local rotations, so that a clip of them has both: rotations as they stand, and bones
measured from the joints. No body shape is published with them; whose body it was is lost, and where it started.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from motionunion.captions import CaptionLine, clip_interval, read_text
from motionunion.clip import Caption, ClipRef, RawClip, Shipped
from motionunion.errors import ClipError, SourceFormatError
from motionunion.kinematics import forward_kinematics
from motionunion.skeleton import SMPL22_NAMES, SMPL22_PARENTS, Skeleton
from motionunion.sources.feature_folder import read_features

REPRESENTATION = "ms272@30/compat"
DIMS = 272
_DRIFT_M = 0.005


def read_272(ref: ClipRef) -> RawClip:
    """The motion of one feature file; captions, group and split are for the reader to add with `dataclasses.replace`.

    Raises:
        SourceFormatError: not an array of 272 features.
        ClipError: `non_finite` values, or rotations whose six numbers have no direction.
    """
    from motionunion.representations import decode_motion  # late: representations load more than recognition needs

    features = read_features(ref.path, DIMS)
    motion = decode_motion(features, REPRESENTATION)
    quats, root, offsets = motion.pose()
    if not np.isfinite(quats).all():
        bad = int(np.argmin(np.isfinite(quats).all(axis=(1, 2))))
        raise ClipError(f"{ref.path}: frame {bad} holds a rotation without direction", reason="non_finite")
    posed = forward_kinematics(root, quats, offsets, SMPL22_PARENTS)
    drift_m = float(np.linalg.norm(posed - motion.joints_T22x3, axis=-1).max())
    return RawClip(
        ref=ref,
        fps=motion.fps,
        up="y",
        unit_m=1.0,
        skeleton=Skeleton(SMPL22_NAMES, SMPL22_PARENTS, offsets),
        skeleton_id="smpl22",
        body="own",
        quats_TJ4=quats,
        root_T3=root,
        shipped=Shipped(representation=REPRESENTATION, features_TD=features),
        labels={"bone_drift_m": f"{drift_m:.4f}"} if drift_m > _DRIFT_M else {},
        inputs=(ref.path,),
    )


def lines_of(path: Path, seconds: float) -> tuple[tuple[CaptionLine, ...], tuple[SourceFormatError, ...]]:
    """Captions of a text file, one a line: plain sentences, or HumanML3D's `text#tokens#start#end`; none without a file.

    What cannot be read costs its captions alone, and is returned.
    """
    if not path.is_file():
        return (), ()
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except SourceFormatError as error:
        return (), (error,)
    return tuple(_line(line, seconds) for line in lines if line.strip("#. ")), ()


def caption_of(line: CaptionLine, uid: str, layer: str, generator: str) -> Caption:
    """A line as a caption of the clip that it is beside."""
    return Caption(uid=uid, text=line.text, tokens=line.tokens, start_s=line.start_s, end_s=line.end_s, layer=layer,
                   generator=generator)  # fmt: skip


def _line(line: str, seconds: float) -> CaptionLine:
    fields = [field.strip() for field in line.split("#")]
    if len(fields) == 4 and fields[0]:
        try:
            start, end = float(fields[2]), float(fields[3])
        except ValueError:
            return CaptionLine(line, None, None, None)
        return CaptionLine(fields[0], fields[1] or None, *clip_interval(start, end, seconds))
    return CaptionLine(line, None, None, None)
