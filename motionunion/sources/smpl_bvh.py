"""BVH of SMPL bodies."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class SmplBvh(BvhExporter):
    """SMPL motion that was written as BVH: by MoMask, the 272-dimensional representation, ScaMo's template, ScaDiver.

    Rights are those of the motion inside (mostly AMASS and AIST++). Joints are SMPL's, so nothing is aligned: zero rotation is
    SMPL's rest pose. There are 24 or 22 of them, under SMPL's names (`Left_hip`), LAFAN1's (`LeftUpLeg`, told from LAFAN1 by
    the rest offsets) or ScaDiver's (`lhip`, +Z up; all others +Y). Unit: metres or centimetres, which the motion tells.
    """

    name = "smpl_bvh"
    skeleton_ids = ("smpl_named", "smpl_hips_named", "smpl_scadiver")
