"""LAFAN1, the Ubisoft La Forge animation data set."""

from __future__ import annotations

import re

from motionunion.clip import ClipRef
from motionunion.formats.bvh import Bvh
from motionunion.sources.bvh_source import BvhSource, Description

_NAME = re.compile(r"(?P<theme>[A-Za-z]+)(?P<number>\d*)(?:_subject(?P<subject>\d+))?(?:_|$)")


class Lafan1(BvhSource):
    """LAFAN1 (Harvey et al. 2020, "Robust Motion In-Betweening").

    Licence CC BY-NC-ND 4.0: no derivative may be passed on. 77 BVH takes by five subjects, 30 fps, centimetres, +Y up. At
    zero rotation the skeleton is collapsed along the local X axes. Files are called `<theme><number>_subject<n>.bvh`; the
    same theme and number of several subjects were recorded together, so they share a group. Excerpts go about under
    free names (`walk.bvh`, `dance1_subject2_first10frames.bvh`): theme, number and subject are taken from as much of the name
    as is there. In re-exports the toes are called `LeftToeBase`. The caption is made from the theme by the table of the manifest.
    """

    name = "lafan1"
    skeleton_ids = ("lafan1", "lafan1_toebase")
    pattern = re.compile(r"[A-Za-z]+\d_subject\d")

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Theme, number and subject from the name."""
        found = _NAME.match(ref.path.stem)
        if found is None:
            return Description(labels={})
        labels = {name: value for name, value in found.groupdict().items() if value}
        action = self.manifest["caption"]["theme"].get(found["theme"].lower())
        return Description(
            text=None if action is None else f"a person {action}",
            labels=labels,
            group=f"{self.name}/{found['theme'].lower()}{found['number']}" if found["number"] else None,
        )
