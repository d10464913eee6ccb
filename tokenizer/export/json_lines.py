"""`jsonl`: `<split>.jsonl`, one object a window, with all columns of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export.files import NewFile
from tokenizer.export.rows import json_bytes, plain_rows
from tokenizer.export.written import Written


def write(corpus: Corpus, folder: Path, progress: Progress) -> Iterator[Written]:
    """One file for each split that has windows."""
    for split in corpus.splits:
        windows = 0
        with NewFile(folder, f"{split}.jsonl") as file:
            for row in plain_rows(corpus, split):
                file.write(json_bytes(row) + b"\n")
                windows += 1
                progress.advance(1.0)
        yield Written(f"{split}.jsonl", file.size, file.sha256, split, windows)
