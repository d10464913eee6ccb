"""BVH with the joint names of Vicon's software, Z up."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class Vicon(BvhExporter):
    """Optical captures on the skeleton that Vicon's Blade and Shogun build: four spine and two neck joints, Z up.

    Whoever captured them has the rights. At zero rotation the body stands in a T-pose facing +Y, all axes the world's. The
    unit is the project's (inches in the files that were tried): the motion is to tell. Every joint has a rotation order of
    its own.
    """

    name = "vicon"
    skeleton_ids = ("vicon_neck1",)
