"""The motions that come with AnimatedDrawings."""

from __future__ import annotations

from motionunion.sources.bvh_source import BvhExporter


class AnimatedDrawings(BvhExporter):
    """Captures by Meta's FAIR that come with AnimatedDrawings (Smith et al. 2023, arXiv:2303.12741), `examples/bvh/fair1`.

    MIT licence. 27 joints, +Z up, facing -Y at zero rotation, 119.88 fps (`dab`, `wave_hello`) and 30. The unit is not a
    usual one and stated nowhere: from hip to ankle the body has 20.3 units, a person some 0.86 m, so the manifest takes 0.0423 m a
    unit, and the flag `unit_estimated` says so; height and speed are right to some 10 %. The other folder of that
    repository, `cmu1`, is CMU in the conversion for 3ds Max.
    """

    name = "animated_drawings"
    skeleton_ids = ("fair1",)
    flags = ("unit_estimated",)
