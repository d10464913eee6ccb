"""BVH from Mixamo characters."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class Mixamo(BvhExporter):
    """Motion of Adobe's Mixamo, brought from FBX to BVH by one of many tools.

    Licence: Adobe's terms; it may be used in works, but not passed on. 30 or 60 fps, +Y up, centimetres. Names carry the name
    space `mixamorig:` (`mixamorig7:` and the like) or none. Fingers, eyes and end joints vary from character to character
    and are not part of what a file is known by. At zero rotation the body stands in a T-pose with all axes the world's, but
    for thighs and arms that are a few degrees off. Characters that are no people (a thigh of 20 cm, or of a metre) are
    refused.
    """

    name = "mixamo"
    skeleton_ids = ("mixamo",)
