"""100STYLE."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path

from motionunion.captions import read_text
from motionunion.clip import ClipRef
from motionunion.errors import ClipError, SourceFormatError
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description

_CUTS = "Frame_Cuts.csv"
_NONE = ("", "n/a", "na", "nan")


class Style100(BvhSource):
    """100STYLE (Mason, Starke and Komura 2022, "Real-Time Style Modelling of Human Locomotion via Feature-Wise
    Transformations and Local Motion Phases").

    Licence CC BY 4.0. 810 BVH takes of half a minute to one and a half, 60 fps, centimetres, +Y up, Xsens skeleton without
    fingers in a proper T-pose. The name is `<Style>_<CONTENT>.bvh`: 100 styles, contents FW FR BW BR SW SR (walk and run
    forwards, backwards, sideways), ID (idle), TR1 to TR3 (transitions). Captions are made from both by the tables of
    the manifest; several styles are no plain words for a motion (`Aeroplane`, `Kong`), so `style` stays a label. One actor
    moved in all takes. They begin and end with T-poses and ways to the start: `Frame_Cuts.csv` (a row per style, first
    and last good frame of each content), in the folder of the files or in one of the two above, says what is `valid`.
    """

    name = "100style"
    version = 2
    skeleton_ids = ("xsens_100style",)
    actor = b"12.953391 -0.028419"
    """The offset of the actor's Chest, as every file of the set writes it."""
    pattern = re.compile(r"(?P<style>[A-Z][A-Za-z]*)_(?P<content>[FBS][WR]|ID|TR[123])$")

    def owns(self, folder: Folder, file: str) -> bool:
        """Whether name or actor is the set's: other captures come on the vendor's skeleton too."""
        return self.pattern.match(Path(file).stem) is not None or self.actor in folder.head(file)

    def companions(self, folder: Folder, file: str) -> tuple[Path, ...]:
        """The cut list in the files' own folder."""
        return (folder.path / _CUTS,) if _CUTS in folder.names else ()

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Style and content from the name, the valid frames from the cut list."""
        found = self.pattern.match(ref.path.stem)
        if found is None:
            return Description(labels={})
        style, content = found["style"], found["content"]
        tables = self.manifest["caption"]
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", style).lower()
        manner = tables["style"].get(style, f"in the style {words}")
        text = " ".join(f"a person {tables['content'][content]} {manner}".split())
        labels = {"style": style, "content": content}
        list_file = next((path for place in _around(ref.path) if (path := place / _CUTS).is_file()), None)
        if list_file is None:
            return Description(text=text, labels=labels)
        try:
            cut = frame_cuts(list_file, list_file.stat().st_mtime_ns).get((style.lower(), content))
        except SourceFormatError as error:
            return Description(text=text, labels=labels, faults=(error,))
        if cut is None:
            return Description(text=text, labels=labels)
        frames = len(bvh.values_TC)
        if cut[0] >= frames:
            raise ClipError(
                f"{ref.path}: {list_file.name} cuts frames {cut[0]} to {cut[1]} out of {frames}: file and list do not belong "
                "together",
                reason="no_valid_frames",
            )
        return Description(text=text, labels=labels, valid=(cut[0], min(cut[1], frames)), inputs=(list_file,))


def _around(path: Path) -> tuple[Path, ...]:
    return path.parent, path.parent.parent, path.parent.parent.parent


@lru_cache(maxsize=4)
def frame_cuts(path: Path, changed_ns: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Half-open frame interval by style (lower case) and content; contents that a style lacks (`N/A`, empty) are left out.

    Nobody says whether the frame under STOP is still good, so it is not counted in.

    Args:
        path: `Frame_Cuts.csv`, with a column `STYLE_NAME` and pairs `FW_START`, `FW_STOP`.
        changed_ns: When it was changed last, so that a new list is read again.

    Raises:
        SourceFormatError: `bad_label`, with the line.
    """
    rows = csv.reader(read_text(path).splitlines())
    header = [cell.strip() for cell in next(rows, [])]
    columns = {cell.removesuffix("_START"): k for k, cell in enumerate(header) if cell.endswith("_START")}
    if header[:1] != ["STYLE_NAME"] or not columns:
        raise SourceFormatError(
            path, "expected the columns STYLE_NAME, BR_START, BR_STOP, ...", line=1, reason="bad_label"
        )
    cuts: dict[tuple[str, str], tuple[int, int]] = {}
    for line, row in enumerate(rows, start=2):
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        for content in columns:
            first, last = cells.get(f"{content}_START", ""), cells.get(f"{content}_STOP", "")
            if first.lower() in _NONE and last.lower() in _NONE:
                continue
            try:
                cut = int(float(first)), int(float(last))
            except (ValueError, OverflowError):
                cut = (-1, -1)
            if not 0 <= cut[0] < cut[1]:
                raise SourceFormatError(
                    path,
                    f"{content} of {cells.get('STYLE_NAME', '')!r} is cut from {first[:20]!r} to {last[:20]!r}: expected two frame "
                    "numbers, the first one smaller",
                    line=line,
                    reason="bad_label",
                )
            cuts[cells["STYLE_NAME"].lower(), content] = cut
    return cuts
