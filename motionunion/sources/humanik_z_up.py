"""BVH with HumanIK's joint names, Z up."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class HumanIkZUp(BvhExporter):
    """Optical captures with the joint names of Autodesk's HumanIK, four spine and two neck joints, and Z up.

    Whoever captured them has the rights; several makers of capture systems export files like this. At zero rotation the body
    stands in a T-pose facing +Y, all axes the world's. The unit is the project's (inches in the files that were tried): the
    motion is to tell. Every joint has a rotation order of its own.
    """

    name = "humanik_z_up"
    skeleton_ids = ("humanik_z_up",)
