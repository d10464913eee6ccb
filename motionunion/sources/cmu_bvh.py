"""The CMU motion capture database in cgspeed's BVH conversions for MotionBuilder, 3ds Max and DAZ Studio.

All three put a T-pose before every take: frame 0 is kept and lies outside `valid`. Takes are in AMASS too, so the uid is
AMASS's: captions of HumanML3D's index fit, and all copies share a side of every split. Captions come from cgspeed's
`cmu-mocap-index-text.txt`, where it lies in the folder of the files or in one of the two above.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path

import numpy as np

from motionunion.captions import read_text
from motionunion.clip import ClipRef
from motionunion.errors import SourceFormatError
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description, FloatArray

_INDEX = "cmu-mocap-index-text.txt"
_INDEX_ROW = re.compile(r"^(\d{2,3}_\d{2})\s+(\S.*?)\s*$", re.MULTILINE)
_FIRST_ROW = re.compile(rb"Frame[ \t]+Time[^\n]*\n([^\n]*)\n", re.IGNORECASE)


class CmuBvh(BvhSource):
    """What the conversions share: names, captions, the added T-pose."""

    pattern = re.compile(r"(?P<subject>\d{2,3})_(?P<take>\d{2})(?!\d)")

    def companions(self, folder: Folder, file: str) -> tuple[Path, ...]:
        """The index text in the files' own folder."""
        return (folder.path / _INDEX,) if _INDEX in folder.names else ()

    @abstractmethod
    def is_added_pose(self, row_C: FloatArray) -> bool:
        """Whether the first row of channels is the T-pose that the converter put there."""

    def uid(self, stem: str) -> str:
        """AMASS's address of the take; the file's own where the name holds no take."""
        found = self.pattern.match(stem)
        if found is None:
            return super().uid(stem)
        return f"amass/cmu/{found['subject']}/{found['subject']}_{found['take']}"

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Subject and take from the name, the caption from the index text."""
        frames = len(bvh.values_TC)
        valid = (1, frames) if self.is_added_pose(bvh.values_TC[0]) else (0, frames)
        found = self.pattern.match(ref.path.stem)
        if found is None:
            return Description(labels={}, valid=valid)
        index = _index_file(ref)
        try:
            texts = {} if index is None else _descriptions(index, index.stat().st_mtime_ns)
        except SourceFormatError as error:
            return Description(labels=found.groupdict(), valid=valid, faults=(error,))
        text = texts.get(f"{found['subject']}_{found['take']}")
        inputs = () if index is None or text is None else (index,)
        return Description(text=text, generator="human", labels=found.groupdict(), valid=valid, inputs=inputs)


class CmuCgspeed(CmuBvh):
    """CMU Graphics Lab motion capture, converted to BVH for MotionBuilder by B. Hahne (cgspeed.com, 2008 and 2010).

    Free for all uses. About 2,500 takes, 120 fps, +Y up, one length unit is 1/0.45 inch = 0.05644 m. Six joints have
    bones of zero length. The added T-pose, whose angles are whole degrees, or a take's number in the name (`01_01.bvh`,
    `12_01_walk.bvh`), tells these files from others on the same skeleton. The finger joints have two spellings.
    """

    name = "cmu_cgspeed"
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


def _index_file(ref: ClipRef) -> Path | None:
    for folder in (ref.path.parent, ref.path.parent.parent, ref.path.parent.parent.parent):
        if (folder / _INDEX).is_file():
            return folder / _INDEX
    return None


@lru_cache(maxsize=4)
def _descriptions(path: Path, _changed_ns: int) -> dict[str, str]:
    """Take to description; takes that CMU does not describe (`Unknown`) are left out."""
    rows = _INDEX_ROW.findall(read_text(path))
    return {take: text for take, text in rows if text.lower() != "unknown"}
