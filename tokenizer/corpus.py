"""The token corpus: what the transformer, and anybody else, trains on.

A folder of Parquet parts for each split, one row a window, and `manifest.json`, written last, that says where the codes
come from. K is the true codebook size; codes are 0 ... K - 1, K is END, K + 1 is PAD.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from motionunion.digest import canonical_json, sha256_hex
from motionunion.errors import MissingInput
from motionunion.windows import WindowCaption
from tokenizer.corpus_manifest import refuse_what_cannot_be
from tokenizer.runs import CORPORA, folders_with

MANIFEST = "manifest.json"
FORMAT = "motionunion-corpus/2"
READABLE = ("motionunion-corpus/1", FORMAT)
"""The first had int32 codes, and no licences, frames or caption times."""


def table_of(data: bytes, columns: list[str] | None = None) -> pa.Table:
    """The table in the bytes of a Parquet file.

    Not by `pq.read_table`: its data set's threads may still hold the bytes while the interpreter ends, and letting go of
    them then aborts the process (pyarrow 26; seen as exit 134 after an error message).
    """
    with pq.ParquetFile(pa.BufferReader(data)) as file:
        return file.read(columns=columns, use_threads=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CorpusWindow:
    """One window of the corpus; the fields are those of `motionunion.windows.Window`, with its codes."""

    window_id: str
    span_id: str
    clip_id: str
    name: str
    source: str
    group: str
    split: str
    official_split: str | None
    body: str
    layer: str | None
    shipped: bool
    first_row: int
    """First row within the span."""
    rows: int
    codes: npt.NDArray[np.int32]
    """(N Q,): N = rows // R steps, all Q codes of a step side by side; `Corpus.by_step` parts them."""
    captions: tuple[WindowCaption, ...]
    licence: str | None = None
    """Of the clip; None where the corpus was made without a store's index."""
    span_first_frame: int | None = None
    """First frame of the span in the clip, at the clip's own rate."""
    span_stop_frame: int | None = None
    """Frame after its last one."""


class Corpus:
    """A finished corpus, read lazily and verified as it is read."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path, self.manifest = path, manifest

    @property
    def codebook_size(self) -> int:
        """True number of codes, K."""
        return int(self.manifest["codebook_size"])

    @property
    def codebook(self) -> int:
        """Nominal codebook size."""
        return int(self.manifest["codebook"])

    @property
    def end_id(self) -> int:
        """Token that ends a motion: K."""
        return int(self.manifest["end_id"])

    @property
    def pad_id(self) -> int:
        """Token that fills a batch: K + 1."""
        return int(self.manifest["pad_id"])

    @property
    def codes_per_step(self) -> int:
        """Q: codes for one step of time, 1 but for quantisers in layers or groups."""
        return int(self.manifest.get("codes_per_step", 1))

    def by_step(self, codes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Codes (N Q,) of a window as a tokenizer takes them: (N,), or (N, Q) where there are several a step."""
        return codes if self.codes_per_step == 1 else codes.reshape(-1, self.codes_per_step)

    @property
    def representation(self) -> str:
        """Id of the representation the codes stand for."""
        return str(self.manifest["representation"]["id"])

    @property
    def tokenizer_hash(self) -> str:
        """Hash of the tokenizer that made the codes."""
        return str(self.manifest["tokenizer"]["hash"])

    @property
    def tokenizer_path(self) -> Path:
        """Folder of the tokenizer, in the same runs folder as the corpus."""
        return self.path.parent.parent / "tokenizers" / str(self.manifest["tokenizer"]["name"])

    @property
    def fingerprint(self) -> str:
        """Hash of the manifest, which holds the hash of every other file: two corpora are equal where these are."""
        return str(self.manifest["sha256"])

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Splits that have windows."""
        return tuple(name for name, split in self.manifest["splits"].items() if split["windows"])

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of every file but the manifest itself, by name."""
        splits = self.manifest["splits"].values()
        entries = [entry for split in splits for entry in (*split["parts"], split.get("unigram")) if entry]
        return {entry["file"]: entry["sha256"] for entry in entries}

    def tables(self, split: str) -> Iterator[pa.Table]:
        """Parts of a split in order, as Arrow tables (`corpus_schema`); none for a split without windows.

        Raises:
            MissingInput: If a part is missing, its bytes are not those of the manifest, or what it holds does not fit the manifest.
        """
        for number, part in enumerate(self.manifest["splits"].get(split, {"parts": []})["parts"]):
            table = table_of(self.part_bytes(split, number))
            codes = table.column("codes")
            highest = pc.max(pc.list_flatten(codes)).as_py()
            lengths = pc.list_value_length(codes).to_numpy()
            if (
                len(table) != part.get("windows", len(table))
                or (highest or 0) >= self.codebook_size
                or (lengths % self.codes_per_step).any()
            ):
                raise MissingInput(
                    f"{self.path / part['file']} does not fit the manifest, which says codes below {self.codebook_size}, "
                    f"{self.codes_per_step} a step, and how many windows; move the folder away and run `scamo tokenize` again"
                )
            yield table

    def part_bytes(self, split: str, number: int) -> bytes:
        """The Parquet file of one part, verified.

        Raises:
            MissingInput: If it is missing or its bytes are not those of the manifest.
        """
        part = self.manifest["splits"][split]["parts"][number]
        return self._verified(part["file"], part["sha256"])

    def windows(self, split: str) -> list[CorpusWindow]:
        """All windows of a split, in the corpus's order."""
        return [window for table in self.tables(split) for window in _windows_of(table)]

    def unigram(self, split: str) -> npt.NDArray[np.int64]:
        """Counts (K + 1,) of every code in a split, END last, which is counted once for each window."""
        entry = self.manifest["splits"].get(split)
        if entry is None or not entry["windows"]:
            return np.zeros(self.codebook_size + 1, dtype=np.int64)
        data = self._verified(entry["unigram"]["file"], entry["unigram"]["sha256"])
        counts: npt.NDArray[np.int64] = np.load(io.BytesIO(data), allow_pickle=False)
        return counts

    def _verified(self, name: str, expected: str) -> bytes:
        path = self.path / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise MissingInput(f"{path} is missing from the corpus ({error}); run `scamo tokenize` again") from error
        if sha256_hex(data) != expected:
            raise MissingInput(
                f"{path} is damaged: its checksum is not the manifest's; run `scamo tokenize` again, which makes it anew"
            )
        return data


def open_corpus(folder: Path | str) -> Corpus:
    """Open a finished corpus.

    Raises:
        MissingInput: If there is none, or its manifest is damaged.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise MissingInput(f"{folder} holds no finished corpus; make one with `scamo tokenize --codebook 65536`")
    try:
        manifest = json.loads(path.read_bytes())
        rest = {name: value for name, value in manifest.items() if name != "sha256"}
        if manifest["sha256"] != sha256_hex(canonical_json(rest)):
            raise ValueError("its checksum does not fit")
        if manifest["format"] not in READABLE:
            raise ValueError(f"format {manifest['format']!r} is none of {', '.join(READABLE)}")
        refuse_what_cannot_be(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MissingInput(f"{path} cannot be read ({error}); remove it and run `scamo tokenize` again") from error
    return Corpus(Path(folder), manifest)


def newest_corpus(runs: Path) -> Path:
    """Folder of the corpus that `scamo tokenize` made or was asked for last.

    Raises:
        MissingInput: If there is none.
    """
    found = folders_with(Path(runs) / CORPORA, MANIFEST)
    if not found:
        raise MissingInput(f"{runs} holds no corpus; make one with `scamo tokenize --codebook 65536`")
    return found[0]


def _windows_of(table: pa.Table) -> Iterator[CorpusWindow]:
    codes = table.column("codes").combine_chunks()
    flat = codes.flatten().to_numpy(zero_copy_only=False)
    ends = np.cumsum(codes.value_lengths().to_numpy(zero_copy_only=False)) if len(codes) else np.zeros(0, np.int64)
    rest = table.drop_columns(["codes"])
    first = 0
    for row, end in zip(rest.to_pylist(), ends, strict=True):
        row["captions"] = tuple(WindowCaption(**caption) for caption in row["captions"])
        yield CorpusWindow(**row, codes=flat[first:end].astype(np.int32, copy=True))
        first = int(end)
