"""`litgpt`: litdata's token chunks, `<split>/index.json` and `<split>/chunk-0-0.bin` ..., which LitGPT's `LitData` streams.

A chunk is uint32 words (the number of items, and where each item begins and ends in the file) and then int32 ids; here each chunk is one
item. `TokensLoader(block_size=...)` cuts blocks out of it, and leaves the last few ids of a chunk that fill no block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export.files import NewFile
from tokenizer.export.stream import Tokens, end_id, token_parts, vocabulary
from tokenizer.export.written import Written

CHUNK_TOKENS = 1 << 22
_INT32 = "no_header_tensor:16"
"""How litdata calls a row of torch's int32 without a header."""
_ONE_TENSOR = '[1, {"type": null, "context": null, "children_spec": []}]'
"""A sample that is one tensor, as PyTorch writes the shape of nested structures down."""


def write(corpus: Corpus, folder: Path, progress: Progress) -> Iterator[Written]:
    """A folder for each split that has windows."""
    for split in corpus.splits:
        chunks = []
        for number, tokens in enumerate(_chunks(token_parts(corpus, split))):
            name = f"chunk-0-{number}.bin"
            data = tokens.astype("<i4").tobytes()
            begin = 3 * 4  # behind the three words of the header
            with NewFile(folder / split, name) as file:
                file.write(np.array([1, begin, begin + len(data)], "<u4").tobytes())
                file.write(data)
            ends = int((tokens == end_id(corpus)).sum())
            progress.advance(float(ends))
            chunks.append({"chunk_bytes": file.size, "chunk_size": 1, "dim": len(tokens), "filename": name})
            yield Written(f"{split}/{name}", file.size, file.sha256, split, ends)
        with NewFile(folder / split, "index.json") as file:
            file.write(json.dumps({"chunks": chunks, "config": _CONFIG}, sort_keys=True).encode())
        yield Written(f"{split}/index.json", file.size, file.sha256, split)


def about(corpus: Corpus) -> dict[str, Any]:
    """Ids and their type."""
    return {"vocabulary": vocabulary(corpus), "end_id": end_id(corpus), "dtype": "int32"}


_CONFIG = {
    "chunk_bytes": None,
    "chunk_size": CHUNK_TOKENS,
    "compression": None,
    "data_format": [_INT32],
    "data_spec": _ONE_TENSOR,
    "encryption": None,
    "item_loader": "TokensLoader",
}


def _chunks(parts: Iterator[Tokens]) -> Iterator[Tokens]:
    """The same ids in pieces of `CHUNK_TOKENS`; the last is shorter."""
    waiting: list[Tokens] = []
    count = 0
    for part in parts:
        waiting.append(part)
        count += len(part)
        while count >= CHUNK_TOKENS:
            joined = np.concatenate(waiting)
            yield joined[:CHUNK_TOKENS]
            waiting = [joined[CHUNK_TOKENS:]]
            count -= CHUNK_TOKENS
    if count:
        yield np.concatenate(waiting)
