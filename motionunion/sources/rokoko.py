"""BVH from Rokoko Studio."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class Rokoko(BvhExporter):
    """Captures with Rokoko's suits, as Rokoko Studio exports them for HumanIK.

    Whoever captured them has the rights. Centimetres, +Y up, rotations YXZ, 100 fps or what was chosen, four spine joints, roll
    joints in arms and legs, fingers. All bones lie along local X: zero rotation is a collapsed pose. How legs, feet and
    shoulders are turned about their bones was not measured but follows from the offsets of hips, ankles and fingers. Studio's
    other presets give other skeletons: with Mixamo's names and bones along local Y, or with Rokoko's own (`LeftThigh`);
    for those, `motionunion skeleton inspect` makes a map.
    """

    name = "rokoko"
    skeleton_ids = ("rokoko_humanik",)
