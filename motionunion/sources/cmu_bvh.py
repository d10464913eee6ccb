"""The CMU motion capture database in cgspeed's BVH conversions for MotionBuilder, 3ds Max and DAZ Studio.

All three put a T-pose before every take: frame 0 is kept and lies outside `valid`. Takes are in AMASS too, so the uid is
AMASS's: captions of HumanML3D's index fit, and all copies share a side of every split. Captions come from cgspeed's
`cmu-mocap-index-text.txt`, where it lies in the folder of the files or in one of the two above. All files say 120 frames a
second, those of takes captured at 60 too: these have the rate of the take (`motionunion.sources.cmu_takes`), with the flag
`fps_corrected`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import replace
from pathlib import Path

import numpy as np

from motionunion.clip import ClipRef
from motionunion.errors import SourceFormatError
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description, FloatArray
from motionunion.sources.cmu_takes import INDEX, TAKE, description, index_file, take_of

_FIRST_ROW = re.compile(rb"Frame[ \t]+Time[^\n]*\n([^\n]*)\n", re.IGNORECASE)


class CmuBvh(BvhSource):
    """What the conversions share: names, captions, the added T-pose."""

    pattern = TAKE

    def companions(self, folder: Folder, file: str) -> tuple[Path, ...]:
        """The index text in the files' own folder."""
        return (folder.path / INDEX,) if INDEX in folder.names else ()

    @abstractmethod
    def is_added_pose(self, row_C: FloatArray) -> bool:
        """Whether the first row of channels is the T-pose that the converter put there."""

    def uid(self, stem: str) -> str:
        """AMASS's address of the take; the file's own where the name holds no take."""
        take = take_of(stem)
        return super().uid(stem) if take is None else take.uid

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Subject, take and rate from the name, the caption from the index text."""
        frames = len(bvh.values_TC)
        valid = (1, frames) if self.is_added_pose(bvh.values_TC[0]) else (0, frames)
        take = take_of(ref.path.stem)
        if take is None:
            return Description(labels={}, valid=valid)
        known = Description(labels={"subject": take.subject, "take": take.number}, valid=valid)
        if bvh.fps == 2 * take.fps:
            known = replace(known, fps=take.fps, flags=("fps_corrected",))
        index = index_file(ref.path)
        try:
            text = None if index is None else description(index, take)
        except SourceFormatError as error:
            return replace(known, faults=(error,))
        inputs = () if index is None or text is None else (index,)
        return replace(known, text=text, generator="human", inputs=inputs)


class CmuCgspeed(CmuBvh):
    """CMU Graphics Lab motion capture, converted to BVH for MotionBuilder by B. Hahne (cgspeed.com, 2008 and 2010).

    Free for all uses. About 2,500 takes, 120 fps, +Y up, one length unit is 1/0.45 inch = 0.05644 m. Six joints have
    bones of zero length. The added T-pose, whose angles are whole degrees, or a take's number in the name (`01_01.bvh`,
    `12_01_walk.bvh`), tells these files from others on the same skeleton. The finger joints have two spellings.
    """

    name = "cmu_cgspeed"
    version = 2
    skeleton_ids = ("cmu_cgspeed",)

    def owns(self, folder: Folder, file: str) -> bool:
        """Whether the name holds a take's number, or the first frame is the converter's T-pose."""
        if self.pattern.match(file):
            return True
        row = _FIRST_ROW.search(folder.head(file))
        try:
            return row is not None and self.is_added_pose(np.array(row[1].split(), dtype=np.float64))
        except ValueError:
            return False

    def is_added_pose(self, row_C: FloatArray) -> bool:
        """Whether a row's angles are whole degrees and nearly all zero: no capture looks like this, the added T-pose does."""
        angles = row_C[3:]
        return bool((angles == np.round(angles)).all() and (angles == 0).mean() > 0.8)


class Cmu3dsMax(CmuBvh):
    """The same takes, converted for the biped of 3ds Max by B. Hahne (cgspeed.com, 2009).

    Joints are called as 3ds Max wants them (`LeftHip`, `LeftCollar`, `lowerback`), and at zero rotation the arms hang. Scale,
    rate and joints of zero length are those of the MotionBuilder release. Copies at 30 fps go about with AnimatedDrawings.
    """

    name = "cmu_3dsmax"
    skeleton_ids = ("cmu_3dsmax",)

    def is_added_pose(self, row_C: FloatArray) -> bool:
        """Whether the hips stand exactly straight, as no captured ones do."""
        return _hips_are_straight(row_C)


class CmuDaz(CmuBvh):
    """The same takes, converted for DAZ Studio by B. Hahne (cgspeed.com, 2010): on a figure of DAZ's, with fingers and eyes.

    Centimetres, 120 fps, +Y up; `hip` lies below the hip joints, which hang on `lButtock` and `rButtock`. The figure is the
    same in all takes, so bone lengths are not the performers'. There are no toe joints: where the foot's End Site is, the
    toes begin.
    """

    name = "cmu_daz"
    skeleton_ids = ("cmu_daz",)

    def is_added_pose(self, row_C: FloatArray) -> bool:
        """Whether the hips stand exactly straight, as no captured ones do."""
        return _hips_are_straight(row_C)


def _hips_are_straight(row_C: FloatArray) -> bool:
    return bool((np.abs(row_C[3:6]) < 1e-3).all())
