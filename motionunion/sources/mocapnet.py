"""BVH of MocapNET."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter
from motionunion.sources.cmu_takes import take_of


class MocapNet(BvhExporter):
    """What MocapNET (Qammaz and Argyros, FORTH) writes and trains on: the DAZ conversion of CMU with face, fingers and toes.

    FORTH's licence, for research. 165 joints, centimetres, +Y up, 25 fps, some 1.9 m before a camera at the origin; estimates
    from video keep the root in one place. Face, fingers and all toes but the second are not part of what a file is known by.
    Files named after a take of CMU (`05_01.bvh`) have AMASS's address.
    """

    name = "mocapnet"
    skeleton_ids = ("mocapnet",)

    def uid(self, stem: str) -> str:
        """AMASS's address of a CMU take; the file's own where the name holds none."""
        take = take_of(stem)
        return super().uid(stem) if take is None else take.uid
