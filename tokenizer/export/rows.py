"""Windows of a corpus as JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenizer.corpus import Corpus


def plain_rows(corpus: Corpus, split: str) -> Iterator[dict[str, Any]]:
    """Every row of a split as JSON types, in the corpus's order and columns; `codes` is (N Q,), as in the corpus."""
    for table in corpus.tables(split):
        for batch in table.to_batches(max_chunksize=1024):
            yield from batch.to_pylist()


def json_bytes(value: Any) -> bytes:
    """One line of JSON; text stays readable."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
