"""The style set of Xia et al."""

from __future__ import annotations

import re
from pathlib import Path

from motionunion.clip import ClipRef
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description


class XiaStyle(BvhSource):
    """Styled locomotion by Xia, Wang, Chai and Hodgins (2015, "Realtime Style Transfer for Unlabeled Heterogeneous Human
    Motion"), as passed on with Holden's and Aberman's motion networks: on CMU's skeleton, at CMU's scale.

    No licence is stated; research. Some 570 clips of a few seconds, 120 fps, +Y up, one length unit is 1/0.45 inch. Files
    are called `<style>_<content>_<part>.bvh`: eight styles, and contents as two-digit numbers, which are labels. Parts of
    one style and content are of one recording and share a group.
    """

    name = "xia_style"
    skeleton_ids = ("cmu_cgspeed",)
    pattern = re.compile(
        r"(?P<style>angry|childlike|depressed|neutral|old|proud|sexy|strutting)_(?P<content>\d{2})_(?P<part>\d{3})$"
    )

    def owns(self, folder: Folder, file: str) -> bool:
        """Whether the name is one of the set's: CMU's own takes are on the same skeleton."""
        return self.pattern.match(Path(file).stem) is not None

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Style, content and part from the name."""
        found = self.pattern.match(ref.path.stem)
        if found is None:
            return Description(labels={})
        return Description(
            labels=found.groupdict(),
            text=self.manifest["caption"]["style"][found["style"]],
            group=f"{self.name}/{found['style']}_{found['content']}",
        )
