"""AMASS-Annotation-Unifier (Petrovich et al. 2023): HumanML3D, KIT-ML and BABEL as one JSON form about AMASS files.

    {"00001": {"path": "KIT/4/WalkingStraightForward01_poses", "duration": 3.78,
               "annotations": [{"seg_id": "00001_0", "text": "...", "start": 0.0, "end": 3.78}]}}

Times are seconds in the AMASS file, HumanML3D's lead-ins added back. Files are called after their layer (`kitml.json`), or
`annotations.json` in a folder of TMR's with `splits/train.txt` beside; the merged form has paths for ids. The layer of a sentence
is told by its `seg_id`: `00001_seq_0` and `00001_seg_0` are BABEL's, six digits HumanML3D's, five KIT-ML's.

A sentence from 0 to the end is one about the whole file. Entries whose id or path begins with `M` are about mirror images, which
no AMASS file is, and are left out. Whoever also ingests the layer's own files has its sentences twice: here with mended spelling,
there with part-of-speech tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from motionunion.clip import SPLITS, Annotation, Caption, ClipRef, Segment
from motionunion.errors import SourceFormatError
from motionunion.sources.amass_names import uid_of
from motionunion.sources.annotation_json import Entries, is_seconds, read_entries
from motionunion.sources.base import Claim, Folder, ReadOptions
from motionunion.sources.feature_folder import official_splits

_HEAD = re.compile(
    rb'^\s*\{\s*"[^"]+"\s*:\s*\{[^\[\]{}]*"annotations"\s*:\s*\[\s*\{[^{}]*"seg_id"\s*:\s*"(?P<seg_id>[^"]+)"'
)
_SEG_ID = re.compile(r"(?:(?P<merged>babel|humanml3d|kitml)_)?(?P<id>M?\d+)_(?P<part>(?:seq|seg)_)?\d+")
_WHOLE_S = 1e-3
_EIGHTH_S = 0.125  # a sentence that ends so much before the file is about the whole of it too


class AmassAnnotations:
    """Reader of the Unifier's JSON files, known by their first entry."""

    name = "amass_annotations"
    version = 2
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim such JSON files, and the lists of splits that lie in `splits/` beside them."""
        names = [name for name in folder.with_suffix(".json") if _HEAD.match(folder.head(name))]
        if not names:
            return None
        files = [folder.path / name for name in names]
        lists = folder.below("splits")
        if lists is not None:
            files += [lists.path / f"{split}.txt" for split in SPLITS if f"{split}.txt" in lists.names]
        return Claim(self.name, folder.path, tuple(sorted(files)))

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One annotation per file, by its layer or name."""
        refs = {}
        for path in claim.files:
            if path.suffix.lower() == ".json":
                key = path.stem if path.stem != "annotations" else _layer_of_head(path)
                refs[key] = ClipRef(source=self.name, key=key, uid=f"{self.name}/{key.lower()}", path=path,
                                    root=claim.root, size=path.stat().st_size)  # fmt: skip
        yield from (refs[key] for key in sorted(refs))

    def read(self, ref: ClipRef, options: ReadOptions) -> Annotation:
        """Read one file. Raises `SourceFormatError` where it is no such file; bad entries are faults."""
        said = read_entries(ref.path)
        entries = Entries(ref.path)
        splits = official_splits(ref.path.parent / "splits")
        captions: list[Caption] = []
        segments: dict[tuple[str, str], Segment] = {}
        for key, entry in said.items():
            path = entry.get("path", key) if isinstance(entry, dict) else None
            if not isinstance(path, str) or path.count("/") < 2 or ".." in path.split("/"):
                entries.fault(key, "names no AMASS file (path)")
            elif not (path.startswith("M/") or re.fullmatch(r"M\d+", key)):
                _read_entry(entries, key, path, entry, splits, captions, segments)
        if not captions:
            raise SourceFormatError(ref.path, "holds no sentence about an AMASS file", reason="bad_json")
        return Annotation(
            ref=ref, captions=tuple(captions), segments=tuple(segments.values()), faults=tuple(entries.faults)
        )


def _read_entry(
    entries: Entries,
    key: str,
    path: str,
    entry: dict[str, Any],
    splits: dict[str, str],
    captions: list[Caption],
    segments: dict[tuple[str, str], Segment],
) -> None:
    uid, duration, annotations = uid_of(path), entry.get("duration"), entry.get("annotations")
    if not isinstance(annotations, list) or not is_seconds(duration):
        entries.fault(key, "has no list of annotations, or no duration")
        return
    for annotation in annotations:
        seg_id = annotation.get("seg_id") if isinstance(annotation, dict) else None
        found = _SEG_ID.fullmatch(seg_id) if isinstance(seg_id, str) else None
        if found is None:
            entries.fault(key, f"its seg_id is {seg_id!r}")
            continue
        layer = _layer(found)
        times = (annotation.get("start"), annotation.get("end"))
        caption = entries.caption(key, uid, layer, annotation.get("text"), times)
        if caption is None or caption.start_s is None or caption.end_s is None:
            continue
        stretch = (caption.start_s, caption.end_s)
        if layer == "humanml3d":
            caption = replace(caption, segment=found["id"])
        elif stretch[0] <= _WHOLE_S and stretch[1] >= duration - _EIGHTH_S:
            caption = replace(caption, start_s=None, end_s=None)
        captions.append(caption)
        _extend(segments, found["id"], caption, stretch, splits)


def _extend(
    segments: dict[tuple[str, str], Segment],
    name: str,
    caption: Caption,
    stretch: tuple[float, float],
    splits: dict[str, str],
) -> None:
    """HumanML3D's ids are stretches, as long as the longest sentence says; the others' are whole files, with a split.

    One of KIT-ML's without a split still says which file the id is, which joins the groups of both.
    """
    address, split = (caption.layer, name), splits.get(name)
    before = segments.get(address)
    if caption.layer == "humanml3d":
        start_s, end_s = stretch
        if before is not None:
            start_s, end_s = min(start_s, before.start_s), max(end_s, before.end_s)
        segments[address] = Segment(
            uid=caption.uid, name=name, layer=caption.layer, start_s=start_s, end_s=end_s, split=split
        )
    elif before is None and (split is not None or caption.layer == "kitml"):
        segments[address] = Segment(
            uid=caption.uid, name=name, layer=caption.layer, start_s=0.0, end_s=0.0, split=split
        )


def _layer(seg_id: re.Match[str]) -> str:
    if seg_id["merged"] is not None:
        return seg_id["merged"]
    if seg_id["part"] is not None:
        return "babel"
    return "humanml3d" if len(seg_id["id"].removeprefix("M")) == 6 else "kitml"


def _layer_of_head(path: Path) -> str:
    """Layer of the first sentence of a file, which names it where the file's name does not."""
    with path.open("rb") as file:
        head = _HEAD.match(file.read(16384))
    found = _SEG_ID.fullmatch(head["seg_id"].decode("latin1")) if head is not None else None
    return _layer(found) if found is not None else "annotations"
