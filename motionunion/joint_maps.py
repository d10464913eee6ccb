"""The skeletons that are known, and which one a file has.

Maps are data: `manifests/skeletons/<id>.toml` for every known skeleton, and a file of the same form for one of your own
(`motionunion skeleton inspect FILE --save map.toml`). `docs/skeletons.md` describes the form, each file says what is odd about
its skeleton.

A skeleton is known by the exact ordered list of its joint names, never by a single name: `LeftShoulder` is the collar in
CMU and LAFAN1 files and the shoulder in Xsens files. A prefix that all names share up to a colon (`mixamorig:`, a name
space of Maya) is no part of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from manifests import skeleton_manifest, skeleton_names
from motionunion.joint_map import JointMap, Place, plain_names
from motionunion.joint_map_form import parse_joint_map, read_joint_map

__all__ = ["JOINT_MAPS", "JointMap", "Place", "plain_names", "read_joint_map", "skeleton_id_of"]

JOINT_MAPS: dict[str, JointMap] = {
    name: parse_joint_map(skeleton_manifest(name), name, f"manifests/skeletons/{name}.toml")
    for name in skeleton_names()
}
"""Every known skeleton by its id. (`smpl22` needs no map: it is the target.)"""

_BY_NAMES = {names: joint_map.skeleton_id for joint_map in JOINT_MAPS.values() for names in joint_map.names}


def skeleton_id_of(names: Sequence[str]) -> str | None:
    """The id of a known skeleton by its exact ordered joint names; None where it is not known."""
    return _BY_NAMES.get(plain_names(names))
