"""End Sites of a BVH file: where its last bones end.

They are no joints, and `motionunion.formats.bvh` leaves them out. Rigs without toes say with them where the toes begin, which
nothing else in the file does.
"""

from __future__ import annotations

Offset = tuple[float, float, float]


def end_sites(hierarchy: str) -> dict[str, Offset]:
    """Offset of the (last) End Site of each joint that has one, in the joint's frame and the file's unit.

    Args:
        hierarchy: Text up to MOTION, of a file that `motionunion.formats.bvh` reads: what is wrong with it is said there.
    """
    sites: dict[str, Offset] = {}
    open_joints: list[str | None] = []
    named: str | None = None
    for row in hierarchy.split("\n"):
        words = row.replace("{", " { ").replace("}", " } ").split()
        at = 0
        while at < len(words):
            word, at = words[at], at + 1
            if word in ("ROOT", "JOINT", "End"):
                start = at
                while at < len(words) and words[at] != "{":
                    at += 1
                named = None if word == "End" else " ".join(words[start:at])
            elif word == "{":
                open_joints.append(named)
            elif word == "}" and open_joints:
                open_joints.pop()
            elif word == "OFFSET" and len(open_joints) > 1 and open_joints[-1] is None and len(words) >= at + 3:
                joint = open_joints[-2]
                if joint is not None:
                    sites[joint] = (float(words[at]), float(words[at + 1]), float(words[at + 2]))
    return sites
