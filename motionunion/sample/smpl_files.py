"""A take as AMASS would ship it: SMPL-H `_poses.npz` and SMPL-X `_stageii.npz`, +Z up, metres, axis-angle.

AMASS states `trans`, and the pelvis is at `trans` + the rest pelvis of the body (motion-representations §0.3). Bodies are
the template's, hung where each model has its pelvis: betas are zero. Fingers are flat.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from motionunion import rotation
from motionunion.body import SMPLX_TEMPLATE, TEMPLATE, Body
from motionunion.sample.archive import coarsen
from motionunion.sample.choreography import Array
from motionunion.sample.take import Take

_ANGLE_STEP, _LENGTH_STEP = 2.0**-13, 2.0**-14
# A quarter turn about X: (x, y, z) with +Y up becomes (x, -z, y) with +Z up.
_TO_Z_UP = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])

Archive = dict[str, npt.NDArray[np.generic]]


def _body_motion(take: Take, fps: float, body: Body) -> tuple[Array, Array]:
    """Axis-angle rotations (T, 66) and `trans` (T, 3)."""
    posed = take.perform(fps, body.offsets_22x3)
    quats = posed.quats_T22x4.copy()
    quats[:, 0] = rotation.multiply(_TO_Z_UP, quats[:, 0])
    trans = rotation.rotate(_TO_Z_UP, posed.root_T3) - body.pelvis_3
    return (
        coarsen(rotation.to_rotvec(quats).reshape(len(quats), 66), _ANGLE_STEP),
        coarsen(trans, _LENGTH_STEP),
    )


def smplh_archive(take: Take, fps: float, gender: str) -> Archive:
    """The arrays of an AMASS SMPL-H file, and `synthetic`."""
    body, trans = _body_motion(take, fps, TEMPLATE)
    poses = np.zeros((len(body), 156))
    poses[:, :66] = body
    return {
        "trans": trans,
        "gender": np.array(gender),
        "mocap_framerate": np.array(fps),
        "betas": np.zeros(16),
        "dmpls": np.zeros((len(body), 8)),
        "poses": poses,
        "synthetic": np.array(True),
    }


def smplx_archive(take: Take, fps: float) -> Archive:
    """The arrays of an AMASS SMPL-X stage II file, without its latent markers, and `synthetic`."""
    body, trans = _body_motion(take, fps, SMPLX_TEMPLATE)
    times = np.arange(len(body)) / fps
    jaw = np.zeros((len(body), 3))
    jaw[:, 0] = coarsen(0.04 * (1 + np.sin(2 * np.pi * 0.7 * times)), _ANGLE_STEP)
    eyes, hands = np.zeros((len(body), 6)), np.zeros((len(body), 90))
    return {
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(fps),
        "mocap_time_length": np.array(len(body) / fps),
        "trans": trans,
        "poses": np.concatenate([body, jaw, eyes, hands], axis=1),
        "betas": np.zeros(16),
        "num_betas": np.array(16),
        "root_orient": body[:, :3],
        "pose_body": body[:, 3:],
        "pose_hand": hands,
        "pose_jaw": jaw,
        "pose_eye": eyes,
        "synthetic": np.array(True),
    }
