"""100STYLE."""

from __future__ import annotations

import re
from pathlib import Path

from motionunion.clip import ClipRef
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description


class Style100(BvhSource):
    """100STYLE (Mason, Starke and Komura 2022, "Real-Time Style Modelling of Human Locomotion via Feature-Wise
    Transformations and Local Motion Phases").

    Licence CC BY 4.0. 810 BVH takes of half a minute to one and a half, 60 fps, centimetres, +Y up, Xsens skeleton without
    fingers in a proper T-pose. The name is `<Style>_<CONTENT>.bvh`: 100 styles, contents FW FR BW BR SW SR (walk and run
    forwards, backwards, sideways), ID (idle), TR1 to TR3 (transitions). Captions are made from both by the tables of
    the manifest; several styles are no plain words for a motion (`Aeroplane`, `Kong`), so `style` stays a label. One actor
    moved in all takes.
    """

    name = "100style"
    skeleton_ids = ("xsens_100style",)
    actor = b"12.953391 -0.028419"
    """The offset of the actor's Chest, as every file of the set writes it."""
    pattern = re.compile(r"(?P<style>[A-Z][A-Za-z]*)_(?P<content>[FBS][WR]|ID|TR[123])$")

    def owns(self, folder: Folder, file: str) -> bool:
        """Whether name or actor is the set's: other captures come on the vendor's skeleton too."""
        return self.pattern.match(Path(file).stem) is not None or self.actor in folder.head(file)

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Style and content from the name."""
        found = self.pattern.match(ref.path.stem)
        if found is None:
            return Description(labels={})
        style, content = found["style"], found["content"]
        tables = self.manifest["caption"]
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", style).lower()
        manner = tables["style"].get(style, f"in the style {words}")
        text = f"a person {tables['content'][content]} {manner}"
        return Description(text=" ".join(text.split()), labels={"style": style, "content": content})
