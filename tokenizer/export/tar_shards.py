"""`webdataset`: `<split>-000000.tar`, each window as `<window>.npy` (its codes) and `<window>.json` (all other columns).

Codes are (N,), or (N, Q) where a step has several. Members are in the corpus's order, of equal key next to each other, as
WebDataset groups them; they carry no time, owner or machine, so that the same corpus gives the same bytes.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.progress import Progress
from tokenizer.corpus import Corpus
from tokenizer.export.files import NewFile
from tokenizer.export.rows import json_bytes, plain_rows
from tokenizer.export.written import Written

SHARD_WINDOWS = 10_000


def write(corpus: Corpus, folder: Path, progress: Progress) -> Iterator[Written]:
    """As many shards for each split as its windows fill."""
    kind = np.dtype(str(corpus.manifest.get("code_type", "int32")))
    for split in corpus.splits:
        rows = plain_rows(corpus, split)
        total = int(corpus.manifest["splits"][split]["windows"])
        for number, first in enumerate(range(0, total, SHARD_WINDOWS)):
            name = f"{split}-{number:06d}.tar"
            windows = min(SHARD_WINDOWS, total - first)
            with (
                NewFile(folder, name) as file,
                tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,  # type: ignore[call-overload]
            ):
                for _ in range(windows):
                    row = next(rows)
                    codes = corpus.by_step(np.array(row.pop("codes"), dtype=kind))
                    _add(tar, f"{row['window_id']}.npy", _npy(codes))
                    _add(tar, f"{row['window_id']}.json", json_bytes(row))
                    progress.advance(1.0)
            yield Written(name, file.size, file.sha256, split, windows)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _npy(codes: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, codes, allow_pickle=False)
    return buffer.getvalue()
