"""HumanML3D's side of a data set: `index.csv`, `texts/`, and the lists of the splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from motionunion.clip import SPLITS
from motionunion.sample.wording import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """One row of `index.csv` with its captions. Frames are half-open, at 20 per second."""

    name: str
    address: str
    """`<subset>/<subject>/<file>` without suffix."""
    start: int
    end: int
    split: str
    captions: tuple[Sentence, ...]


def write_annotations(folder: Path, rows: Sequence[Annotated]) -> None:
    """Write the annotation folder of a HumanML3D checkout for some clips, sorted by name."""
    texts = folder / "texts"
    texts.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda row: row.name)
    index = ["source_path,start_frame,end_frame,new_name"]
    for row in ordered:
        index.append(f"./pose_data/{row.address}_poses.npy,{row.start},{row.end},{row.name}.npy")
        _write_lines(texts / f"{row.name}.txt", [caption.line() for caption in row.captions])
    _write_lines(folder / "index.csv", index)
    by_split = {split: [row.name for row in ordered if row.split == split] for split in SPLITS}
    for split, names in by_split.items():
        _write_lines(folder / f"{split}.txt", names)
    _write_lines(folder / "train_val.txt", sorted(by_split["train"] + by_split["val"]))
    _write_lines(folder / "all.txt", [row.name for row in ordered])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
