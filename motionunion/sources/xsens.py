"""BVH from Xsens MVN."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class Xsens(BvhExporter):
    """Captures with Xsens suits, as MVN Studio and MVN Analyze export them.

    Whoever captured them has the rights. Centimetres, +Y up, at the suit's rate (60 to 240 fps), 23 joints, rotations YXZ.
    `LeftShoulder` is the shoulder here, and the collar in most other files. At zero rotation the arms are level, or hang in
    files that were exported so: rest offsets tell the two apart. 100STYLE is such files of one actor, and has a reader of
    its own.
    """

    name = "xsens"
    skeleton_ids = ("xsens_100style", "xsens_arms_down")
