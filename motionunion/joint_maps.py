"""Which joints of each known BVH skeleton stand for the 22 SMPL joints.

A skeleton is known by the exact ordered list of its joint names, never by a single name: `LeftShoulder` is the collar in
CMU and LAFAN1 files and the shoulder in Xsens files. Position and rotation come from different joints in places, since
CMU files have joints of zero length that turn, and some SMPL joints have no counterpart at all.

A rigid tree of 22 joints cannot follow every file. Where it cannot, the joint is a stand-in: it is fixed to its parent,
`masked` says that its place is not the file's, and the bone below it is *aimed*: turned by the least angle so that it
points at the file's next joint, whose distance may still differ by the slight change of length that is left.

- `bandai_namco`: no joint between Spine and Chest, so spine2 lies half-way on that bone (rigid: nothing is lost).
- `xsens_100style`: Chest3 moves within the bone from spine2 (Chest2) to spine3 (Chest4), which is aimed (length drift
  below 0.1 %).
- `cmu_cgspeed`: LowerBack, Neck and the shoulders turn at their parent's place, where the bone would have no length. So
  spine1, neck and collars stand in at 35 % of the way from Hips to Spine, from Spine1 to Neck1 and to the arms, rigid to
  pelvis and spine3, and their bones are aimed. What is left is the change of the distance to the next joint: millimetres in
  a walk, 2 cm at the head where the neck bends by 60 degrees. (Putting spine1 on Spine and neck on Neck1, as a map of
  positions may, would be wrong by up to 3 and 9 cm on joints that claim to be the file's.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from motionunion.skeleton import SMPL22_NAMES


@dataclass(frozen=True, slots=True)
class Place:
    """Where one SMPL joint is in a file's skeleton."""

    rotation: str
    """The joint whose world rotation it takes."""
    start: str
    end: str
    """Its position is `start`, moved by `fraction` of the way to `end`."""
    fraction: float = 0.0
    masked: bool = False
    aimed: bool = False
    """Whether the bone to its only child is turned to point at that child."""


@dataclass(frozen=True, slots=True, eq=False)
class JointMap:
    """One known skeleton."""

    skeleton_id: str
    names: tuple[tuple[str, ...], ...]
    """The file's joints, in file order, in every known spelling: what the skeleton is recognised by."""
    places: tuple[Place, ...]
    """In SMPL-22 order."""

    @property
    def joint_mask(self) -> npt.NDArray[np.bool_]:
        """(22,), False for stand-ins."""
        return np.array([not place.masked for place in self.places])

    def rotation_joints(self, names: tuple[str, ...]) -> list[int]:
        """Index of the joint that gives each SMPL joint its rotation."""
        return [names.index(place.rotation) for place in self.places]

    def position_weights(self, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
        """(22, J) matrix that takes the positions of the file's joints to those of the SMPL joints."""
        weights = np.zeros((22, len(names)))
        for row, place in zip(weights, self.places, strict=True):
            row[names.index(place.start)] += 1 - place.fraction
            row[names.index(place.end)] += place.fraction
        return weights


def _map(skeleton_id: str, names: tuple[str, ...], places: dict[str, str | Place]) -> JointMap:
    ordered = (places[name] for name in SMPL22_NAMES)
    return JointMap(
        skeleton_id,
        tuple(tuple(spelling.split()) for spelling in names),
        tuple(Place(place, place, place) if isinstance(place, str) else place for place in ordered),
    )


_BANDAI = _map(
    "bandai_namco",
    (
        "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R "
        "LowerArm_R Hand_R UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R Toes_R",
    ),
    {
        "pelvis": "Hips",
        "left_hip": "UpperLeg_L",
        "right_hip": "UpperLeg_R",
        "spine1": "Spine",
        "left_knee": "LowerLeg_L",
        "right_knee": "LowerLeg_R",
        "spine2": Place("Spine", "Spine", "Chest", 0.5, masked=True),
        "left_ankle": "Foot_L",
        "right_ankle": "Foot_R",
        "spine3": "Chest",
        "left_foot": "Toes_L",
        "right_foot": "Toes_R",
        "neck": "Neck",
        "left_collar": "Shoulder_L",
        "right_collar": "Shoulder_R",
        "head": "Head",
        "left_shoulder": "UpperArm_L",
        "right_shoulder": "UpperArm_R",
        "left_elbow": "LowerArm_L",
        "right_elbow": "LowerArm_R",
        "left_wrist": "Hand_L",
        "right_wrist": "Hand_R",
    },
)
_XSENS = _map(
    "xsens_100style",
    (
        "Hips Chest Chest2 Chest3 Chest4 Neck Head RightCollar RightShoulder RightElbow RightWrist LeftCollar "
        "LeftShoulder LeftElbow LeftWrist RightHip RightKnee RightAnkle RightToe LeftHip LeftKnee LeftAnkle LeftToe",
    ),
    {
        "pelvis": "Hips",
        "left_hip": "LeftHip",
        "right_hip": "RightHip",
        "spine1": "Chest",
        "left_knee": "LeftKnee",
        "right_knee": "RightKnee",
        "spine2": Place("Chest2", "Chest2", "Chest2", aimed=True),
        "left_ankle": "LeftAnkle",
        "right_ankle": "RightAnkle",
        "spine3": "Chest4",
        "left_foot": "LeftToe",
        "right_foot": "RightToe",
        "neck": "Neck",
        "left_collar": "LeftCollar",
        "right_collar": "RightCollar",
        "head": "Head",
        "left_shoulder": "LeftShoulder",
        "right_shoulder": "RightShoulder",
        "left_elbow": "LeftElbow",
        "right_elbow": "RightElbow",
        "left_wrist": "LeftWrist",
        "right_wrist": "RightWrist",
    },
)
_LAFAN1 = _map(
    "lafan1",
    (
        "Hips LeftUpLeg LeftLeg LeftFoot LeftToe RightUpLeg RightLeg RightFoot RightToe Spine Spine1 Spine2 Neck Head "
        "LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder RightArm RightForeArm RightHand",
    ),
    {
        "pelvis": "Hips",
        "left_hip": "LeftUpLeg",
        "right_hip": "RightUpLeg",
        "spine1": "Spine",
        "left_knee": "LeftLeg",
        "right_knee": "RightLeg",
        "spine2": "Spine1",
        "left_ankle": "LeftFoot",
        "right_ankle": "RightFoot",
        "spine3": "Spine2",
        "left_foot": "LeftToe",
        "right_foot": "RightToe",
        "neck": "Neck",
        "left_collar": "LeftShoulder",
        "right_collar": "RightShoulder",
        "head": "Head",
        "left_shoulder": "LeftArm",
        "right_shoulder": "RightArm",
        "left_elbow": "LeftForeArm",
        "right_elbow": "RightForeArm",
        "left_wrist": "LeftHand",
        "right_wrist": "RightHand",
    },
)
_CMU_NAMES = (
    "Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot RightToeBase "
    "LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand LeftFingerBase LeftHandIndex1 "
    "LThumb RightShoulder RightArm RightForeArm RightHand RightFingerBase RightHandIndex1 RThumb"
)
_CMU = _map(
    "cmu_cgspeed",
    # One of cgspeed's releases calls the finger joints otherwise; nothing else differs.
    (
        _CMU_NAMES,
        _CMU_NAMES.replace("LeftHandIndex1", "LFingers").replace("RightHandIndex1", "RFingers"),
    ),
    {
        "pelvis": "Hips",
        "left_hip": "LeftUpLeg",
        "right_hip": "RightUpLeg",
        "spine1": Place("LowerBack", "Hips", "Spine", 0.35, masked=True, aimed=True),
        "left_knee": "LeftLeg",
        "right_knee": "RightLeg",
        "spine2": "Spine",
        "left_ankle": "LeftFoot",
        "right_ankle": "RightFoot",
        "spine3": "Spine1",
        "left_foot": "LeftToeBase",
        "right_foot": "RightToeBase",
        "neck": Place("Neck", "Spine1", "Neck1", 0.35, masked=True, aimed=True),
        "left_collar": Place("LeftShoulder", "Spine1", "LeftArm", 0.35, masked=True, aimed=True),
        "right_collar": Place("RightShoulder", "Spine1", "RightArm", 0.35, masked=True, aimed=True),
        "head": "Head",
        "left_shoulder": "LeftArm",
        "right_shoulder": "RightArm",
        "left_elbow": "LeftForeArm",
        "right_elbow": "RightForeArm",
        "left_wrist": "LeftHand",
        "right_wrist": "RightHand",
    },
)

JOINT_MAPS: dict[str, JointMap] = {joint_map.skeleton_id: joint_map for joint_map in (_BANDAI, _XSENS, _LAFAN1, _CMU)}
"""Every known BVH skeleton by its id. (`smpl22` needs no map: it is the target.)"""

_BY_NAMES = {names: joint_map.skeleton_id for joint_map in JOINT_MAPS.values() for names in joint_map.names}


def skeleton_id_of(names: tuple[str, ...]) -> str | None:
    """The id of a skeleton by its exact ordered joint names; None where it is not known."""
    return _BY_NAMES.get(names)
