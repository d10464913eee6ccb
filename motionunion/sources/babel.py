"""BABEL (Punnakkal et al. 2021, CVPR): action labels of AMASS files, of whole sequences and of stretches.

`train.json`, `val.json` (`extra_train.json`, `extra_val.json` with labels of several people; `test.json` without labels): by id
`feat_p` (`KIT/KIT/3/kick_poses.npz`: the AMASS path below a folder of its archive's name), `dur` in seconds, `seq_ann` and `frame_ann`
with `labels` of `raw_label`, `proc_label`, `act_cat`, and `start_t`, `end_t` in seconds of the AMASS file.

Nothing here is motion: a file becomes one annotation. Raw labels are kept as they stand (`transition` among them); labels of
whole sequences have no times. The split is that of the file's name, and goes to the AMASS files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from motionunion.clip import Annotation, Caption, ClipRef, Segment
from motionunion.errors import SourceFormatError
from motionunion.sources.amass_names import subset_of, uid_of
from motionunion.sources.annotation_json import Entries, read_entries
from motionunion.sources.base import Claim, Folder, ReadOptions

LAYER = "babel"

_HEAD = re.compile(rb'^\s*\{\s*"\d+"\s*:\s*\{[^{}]*"feat_p"\s*:')
_SPLIT = re.compile(r"(?:^|_)(train|val|test)$")


class Babel:
    """Reader of BABEL's JSON files, known by their first entry."""

    name = "babel"
    version = 1
    suffixes: tuple[str, ...] = ()

    def recognise(self, folder: Folder) -> Claim | None:
        """Claim JSON files that begin with an entry of BABEL's."""
        names = [name for name in folder.with_suffix(".json") if _HEAD.match(folder.head(name))]
        return Claim(self.name, folder.path, tuple(folder.path / name for name in names)) if names else None

    def discover(self, claim: Claim) -> Iterator[ClipRef]:
        """One annotation per file, by its name."""
        for path in sorted(claim.files, key=lambda path: path.stem):
            yield ClipRef(source=self.name, key=path.stem, uid=f"{self.name}/{path.stem.lower()}", path=path,
                          root=claim.root, size=path.stat().st_size)  # fmt: skip

    def read(self, ref: ClipRef, options: ReadOptions) -> Annotation:
        """Read one file. Raises `SourceFormatError` where it is no such file; bad entries are faults."""
        said = read_entries(ref.path)
        entries = Entries(ref.path)
        named = _SPLIT.search(ref.path.stem)
        captions: list[Caption] = []
        segments: list[Segment] = []
        for key, entry in said.items():
            uid = amass_uid(entry)
            if uid is None:
                entries.fault(key, "names no AMASS file (feat_p)")
                continue
            captions += _labels(entries, key, uid, entry)
            if named is not None:
                segments.append(Segment(uid=uid, name=key, layer=LAYER, start_s=0.0, end_s=0.0, split=named[1]))
        if not captions and not segments:
            raise SourceFormatError(ref.path, "holds no label of BABEL's", reason="bad_json")
        return Annotation(ref=ref, captions=tuple(captions), segments=tuple(segments), faults=tuple(entries.faults))


def amass_uid(entry: Any) -> str | None:
    """The AMASS file that an entry names; None where it names none."""
    path = entry.get("feat_p") if isinstance(entry, dict) else None
    parts = [part for part in path.split("/") if part not in ("", ".")] if isinstance(path, str) else []
    if len(parts) < 2 or ".." in parts:
        return None
    if len(parts) >= 3 and subset_of(parts[1]) is not None:  # the first is the archive's folder: DFaust67/DFaust_67/...
        parts = parts[1:]
    return uid_of("/".join(parts))


def _labels(entries: Entries, key: str, uid: str, entry: dict[str, Any]) -> Iterator[Caption]:
    """What one entry says, by whatever number of people."""
    for one, many, timed in (("seq_ann", "seq_anns", False), ("frame_ann", "frame_anns", True)):
        said = entry.get(many) if many in entry else [entry.get(one)]
        for annotation in said if isinstance(said, list) else [said]:
            labels = annotation.get("labels") if isinstance(annotation, dict) else annotation
            if labels is None:
                continue  # nobody labelled the frames of this file, or the labels are hidden (test)
            if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
                entries.fault(key, f"{one} has no list of labels")
                continue
            for label in labels:
                times = (label.get("start_t"), label.get("end_t")) if timed else None
                caption = entries.caption(key, uid, LAYER, label.get("raw_label"), times)
                if caption is not None:
                    yield caption
