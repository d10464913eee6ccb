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

# Where two skeletons share their names, the first by id (`lafan1`, `xsens_100style`), which the other was named after.
_BY_NAMES: dict[tuple[str, ...], str] = {}
for _map in JOINT_MAPS.values():
    for _names in _map.names:
        _BY_NAMES.setdefault(_names, _map.skeleton_id)


def skeleton_id_of(names: Sequence[str]) -> str | None:
    """The id of a known skeleton by its exact ordered joint names; None where it is not known.

    `motionunion.sources.bvh_body` also tells skeletons apart that share their names, by their rest offsets.
    """
    return _BY_NAMES.get(plain_names(names))
