"""What the first bytes of a BVH file show: its hierarchy, and by it the skeleton. Shared by all who look at one folder."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from motionunion.errors import SourceFormatError
from motionunion.formats.bvh import joint_names
from motionunion.formats.bvh_hierarchy import parse_hierarchy
from motionunion.formats.end_sites import Offset, end_sites
from motionunion.skeleton import Skeleton
from motionunion.sources.base import Folder
from motionunion.sources.bvh_body import body_of

_MOTION = re.compile(rb"^[ \t]*MOTION[ \t\r]*$", re.MULTILINE)
_LONG_HEAD = 1 << 17  # a face of a hundred joints has a hierarchy of 35 kB


def known_skeletons(folder: Folder) -> dict[str, str | None]:
    """Id of the known skeleton of each BVH file of a folder, as far as its head tells; looked at once."""

    def look() -> dict[str, str | None]:
        heads = {file: hierarchy_of(folder, file) for file in folder.with_suffix(".bvh")}
        return {file: None if head is None else _skeleton_id(head) for file, head in heads.items()}

    return folder.once("bvh skeletons", look)


def hierarchy_of(folder: Folder, file: str) -> bytes | None:
    """The hierarchy of a file, up to MOTION; None where no whole one is in its first bytes."""
    for size in (16384, _LONG_HEAD):
        head = folder.head(file, size)
        motion = _MOTION.search(head)
        if motion is not None and joint_names(head) is not None:
            return head[: motion.start()]
    return None


def _skeleton_id(hierarchy: bytes) -> str | None:
    text = hierarchy.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    try:
        skeleton, _ = parse_hierarchy(Path(), text)
        body = body_of(skeleton, end_sites(text))
    except SourceFormatError:
        # Whose file it is can still be told by names; reading it says what is wrong.
        names = joint_names(hierarchy + b"\nMOTION\n") or ()
        flat = Skeleton(names, tuple(range(-1, len(names) - 1)), np.zeros((len(names), 3)))
        body = body_of(flat, check_fit=False)
    return None if body is None else body.joint_map.skeleton_id


def end_sites_of(path: Path) -> dict[str, Offset]:
    """Offset of the End Site of each joint that has one, in the file's unit; of a file that has been read well."""
    with path.open("rb") as file:
        data = file.read(_LONG_HEAD)
        if _MOTION.search(data) is None:  # an immense hierarchy, or lines that end as on an old Macintosh
            data = (data + file.read()).replace(b"\r", b"\n")
    motion = _MOTION.search(data)
    return end_sites(data[: motion.start() if motion else 0].decode("utf-8", "replace"))
