"""What a format is, and which there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export import flat_file, hugging_face, json_lines, litdata_chunks, tar_shards
from tokenizer.export.written import Written

Writer = Callable[[Corpus, Path, Progress], Iterator[Written]]


@dataclass(frozen=True, slots=True)
class Format:
    """One form of a corpus."""

    what: str
    write: Writer
    """Writes all files into a folder and names each; told of every window."""
    about: Callable[[Corpus], dict[str, Any]] = field(default=lambda corpus: {})
    """What the manifest says besides."""


FORMATS: dict[str, Format] = {
    "hf": Format("Hugging Face `datasets`: Parquet by split and a card", hugging_face.write),
    "bin": Format("nanoGPT: one flat file of ids for each split", flat_file.write, flat_file.about),
    "jsonl": Format("one JSON object a window", json_lines.write),
    "litgpt": Format("LitGPT's `LitData`: token chunks of litdata", litdata_chunks.write, litdata_chunks.about),
    "webdataset": Format("WebDataset: tar shards of .npy and .json", tar_shards.write),
}
