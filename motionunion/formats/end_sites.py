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
        while words:
            word = words.pop(0)
            if word in ("ROOT", "JOINT", "End"):
                upto = words.index("{") if "{" in words else len(words)
                named = None if word == "End" else " ".join(words[:upto])
                words = words[upto:]
            elif word == "{":
                open_joints.append(named)
            elif word == "}" and open_joints:
                open_joints.pop()
            elif word == "OFFSET" and len(open_joints) > 1 and open_joints[-1] is None and len(words) >= 3:
                joint = open_joints[-2]
                if joint is not None:
                    sites[joint] = (float(words[0]), float(words[1]), float(words[2]))
                words = words[3:]
    return sites
