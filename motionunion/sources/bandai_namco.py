"""Bandai-Namco Research Motion Dataset 1 and 2."""

from __future__ import annotations

import json
import re
from pathlib import Path

from motionunion.captions import read_text
from motionunion.clip import ClipRef
from motionunion.errors import SourceFormatError
from motionunion.formats.bvh import Bvh
from motionunion.sources.base import Folder
from motionunion.sources.bvh_source import BvhSource, Description


class BandaiNamco(BvhSource):
    """Bandai-Namco Research Motion Dataset 1 and 2 (Kobayashi et al. 2023, arXiv:2306.08861), one reader each.

    Licence CC BY-NC 4.0. One BVH per clip, 30 fps, centimetres, +Y up. Every joint has six channels, whose positions
    replace the OFFSETs; `joint_Root` stays at the origin and `Hips` carries the travel (its OFFSET is junk in set 2).
    Content, style and take are in the file name: `dataset-1_bow_active_001.bvh`; a JSON of the same name holds the
    two labels as numbers. Both sets have one skeleton, so the name tells them apart; a renamed file counts to set 2,
    the larger one. Captions are made from content and style by the tables of the manifest.
    """

    skeleton_ids = ("bandai_namco",)

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"bandai_namco_{number}"
        self.pattern = re.compile(rf"dataset-{number}_(?P<content>[a-z-]+)_(?P<style>[a-z-]+)_(?P<take>\d+)$")

    def owns(self, folder: Folder, file: str) -> bool:
        """Told by the name; what bears neither set's name belongs to set 2."""
        return file.startswith(f"dataset-{self.number}_") or (self.number == 2 and not file.startswith("dataset-1_"))

    def companions(self, folder: Folder, file: str) -> tuple[Path, ...]:
        """The label file beside the motion."""
        label = Path(file).with_suffix(".json").name
        return (folder.path / label,) if label in folder.names else ()

    def describe(self, ref: ClipRef, bvh: Bvh) -> Description:
        """Content, style and take from the name, label numbers from the JSON."""
        found = self.pattern.match(ref.path.stem)
        labels = dict(found.groupdict()) if found else {}
        label_file = ref.path.with_suffix(".json")
        inputs: tuple[Path, ...] = ()
        faults: tuple[SourceFormatError, ...] = ()
        if label_file.is_file():
            inputs = (label_file,)
            try:
                labels |= _label_numbers(label_file)
            except SourceFormatError as error:
                faults = (error,)
        text = None if found is None else self._caption(labels["content"], labels["style"])
        return Description(text=text, labels=labels, inputs=inputs, faults=faults)

    def _caption(self, content: str, style: str) -> str:
        tables = self.manifest["caption"]
        action = tables["content"].get(content, f"does the motion {content.replace('-', ' ')}")
        manner = tables["style"].get(style, f"in the style {style.replace('-', ' ')}")
        return " ".join(f"a person {action} {manner}".split())


def _label_numbers(path: Path) -> dict[str, str]:
    try:
        numbers = json.loads(read_text(path))
    except json.JSONDecodeError as err:
        raise SourceFormatError(path, f"not JSON ({err.msg})", line=err.lineno, reason="bad_label") from err
    if not isinstance(numbers, dict):
        raise SourceFormatError(path, "expected an object with `content` and `style`", reason="bad_label")
    return {f"{name}_id": str(numbers[name]) for name in ("content", "style") if name in numbers}
