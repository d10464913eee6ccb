"""BVH from Azure Kinect body tracking."""

from __future__ import annotations

import numpy as np

from motionunion import rotation
from motionunion.clip import ClipRef
from motionunion.skeleton import Skeleton
from motionunion.sources.bvh_source import BvhExporter, FloatArray


class AzureKinect(BvhExporter):
    """Body tracking of Microsoft's Azure Kinect, as `azure_kinect_to_bvh` writes it: joints in capitals, camera axes.

    Whoever captured them has the rights. Centimetres, +Y down (the camera's axes), rotations XYZ, no End Sites. The zero pose
    is the body in the first frame, however it stood; it is turned about the vertical until it faces the camera, and its arms
    are taken to hang. The header says 100 fps whatever the camera did (5, 15 or 30). The joints are estimates.
    """

    name = "azure_kinect"
    skeleton_ids = ("azure_kinect",)
    flags = ("estimated_pose",)

    def rebased(
        self, skeleton: Skeleton, quats_TJ4: FloatArray, root_T3: FloatArray, ref: ClipRef
    ) -> tuple[Skeleton, FloatArray, FloatArray]:
        """The same motion with a zero pose whose hips lie along X."""
        left = skeleton.offsets_J3[skeleton.index("HIP_LEFT")] - skeleton.offsets_J3[skeleton.index("HIP_RIGHT")]
        turn = rotation.from_rotvec([0.0, np.arctan2(left[2], left[0]), 0.0])
        quats = rotation.multiply(rotation.multiply(turn, quats_TJ4), rotation.conjugate(turn))
        quats[:, 0] = rotation.multiply(quats_TJ4[:, 0], rotation.conjugate(turn))
        offsets = rotation.rotate(turn, skeleton.offsets_J3)
        return Skeleton(skeleton.names, skeleton.parents, offsets), quats, root_T3
