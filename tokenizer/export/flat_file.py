"""`bin`: nanoGPT's layout. `<split>.bin` is one sequence of little-endian ids, and `meta.pkl` says how many ids there are.

nanoGPT's loader maps `train.bin` and `val.bin` as uint16 and takes `vocab_size` from `meta.pkl`; without that file it would assume
GPT-2's 50,304, fewer than our largest codebooks have. Beyond 65,536 ids the files are uint32, and the loader's dtype has to
be changed with them. Its `sample.py` reads `stoi` and `itos` from the same file: the newline that it begins with by itself is END,
and what it prints is a motion a line, in numbers.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export.files import NewFile
from tokenizer.export.stream import end_id, token_parts, token_type, vocabulary
from tokenizer.export.written import Written


def write(corpus: Corpus, folder: Path, progress: Progress) -> Iterator[Written]:
    """One file for each split that has windows, and `meta.pkl`."""
    for split in corpus.splits:
        windows = 0
        with NewFile(folder, f"{split}.bin") as file:
            for tokens in token_parts(corpus, split):
                file.write(tokens.tobytes())
                ends = int((tokens == end_id(corpus)).sum())
                windows += ends
                progress.advance(float(ends))
        yield Written(f"{split}.bin", file.size, file.sha256, split, windows)
    with NewFile(folder, "meta.pkl") as file:
        # Numbers and texts alone: the format is nanoGPT's, and nothing in it can be executed.
        ends = end_id(corpus)
        words = [*(f"{code} " for code in range(ends)), "\n"]
        meta = {"vocab_size": vocabulary(corpus), "itos": words, "stoi": {"\n": ends}}
        file.write(pickle.dumps(meta, protocol=2))
    yield Written("meta.pkl", file.size, file.sha256)


def about(corpus: Corpus) -> dict[str, Any]:
    """Ids and their type."""
    return {
        "vocabulary": vocabulary(corpus),
        "end_id": end_id(corpus),
        "dtype": "uint16" if token_type(corpus).itemsize == 2 else "uint32",
    }
