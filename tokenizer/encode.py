"""From windows to a corpus: encoding in parts, each written whole, so that a killed run goes on at the next part.

What is in a part, and in what batches it is encoded, follows from the listing of windows alone; so do the bytes.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from motionunion.clip import SPLITS
from motionunion.digest import canonical_json, sha256_hex, write_atomic
from motionunion.errors import MissingInput
from motionunion.features import FeatureSet
from motionunion.progress import SILENT, Progress
from motionunion.windows import MAX_ROWS, MIN_ROWS, Cut, Window, cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import FORMAT, MANIFEST, SCHEMA, Corpus, open_corpus, table_of
from tokenizer.crops import spread
from tokenizer.metrics import evaluate_windows
from tokenizer.runs import CORPORA, open_run, remove_leftovers
from tokenizer.usage import code_usage

PART_WINDOWS = 512
EVALUATED_ROWS = 200_000
"""Rows of a split that the report's reconstruction looks at, at most; spread evenly over the split."""
EVALUATED_SPLITS = ("val", "test")

WINDOW_RULE = (
    f"a window has at most {MAX_ROWS} rows and a multiple of 4; longer spans are cut into windows of nearly equal length; "
    "a caption with times goes to every window that it overlaps by at least half of the shorter of the two"
)
SKIPPED_RULE = {"short": f"spans of fewer than {MIN_ROWS} rows give no window"}


def build_corpus(
    tokenizer: Tokenizer,
    tokenizer_name: str,
    features: FeatureSet,
    runs: Path,
    progress: Progress = SILENT,
) -> Corpus:
    """Encode every window of a feature set; the corpus is in `runs/corpora/`, and is only opened where it is finished.

    Args:
        tokenizer: Of the same representation as `features`.
        tokenizer_name: Its folder in `runs/tokenizers/`.
        features: Features of the whole store.
        runs: The runs folder.
        progress: Told of rows encoded.

    Raises:
        MissingInput: If tokenizer and features are of different representations, or no span is long enough.
    """
    if tokenizer.representation != features.representation:
        raise MissingInput(
            f"tokenizer {tokenizer_name} is for {tokenizer.representation}, the features are {features.representation}; "
            "train one for them with `scamo train-tokenizer`"
        )
    pieces = cut(features)
    if not pieces.windows:
        raise MissingInput(f"no span of the store has {MIN_ROWS} rows: there is nothing to encode")
    listing = sha256_hex(canonical_json([asdict(window) for window in pieces.windows]))
    plan = {
        "format": FORMAT,
        "tokenizer": {"name": tokenizer_name, "hash": tokenizer.hash},
        "representation": {"id": tokenizer.representation, "parameter_hash": tokenizer.parameter_hash},
        "store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint},
        "features": features.key,
        "listing": listing,
        "windows": len(pieces.windows),
        "part_windows": PART_WINDOWS,
    }
    folder = open_run(runs / CORPORA, tokenizer_name, plan)
    if not (folder / MANIFEST).is_file():
        _encode_parts(tokenizer, features, pieces.windows, folder, progress)
        manifest = _manifest(tokenizer, features, pieces, plan, folder)
        manifest["sha256"] = sha256_hex(canonical_json(manifest))
        write_atomic(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
    else:
        # Asked for again: from now on it is the newest.
        (folder / MANIFEST).touch()
    remove_leftovers(folder)
    return open_corpus(folder)


def _parts(windows: Sequence[Window]) -> list[tuple[str, str, list[Window]]]:
    """(split, file, windows) of every part, in order."""
    parts = []
    for split in SPLITS:
        of_split = [window for window in windows if window.split == split]
        for number, first in enumerate(range(0, len(of_split), PART_WINDOWS)):
            parts.append((split, f"{split}-{number:05d}.parquet", of_split[first : first + PART_WINDOWS]))
    return parts


def _encode_parts(
    tokenizer: Tokenizer, features: FeatureSet, windows: Sequence[Window], folder: Path, progress: Progress
) -> None:
    progress.start("encoding the store", float(sum(window.rows for window in windows)), "rows")
    try:
        for _, name, part in _parts(windows):
            if not (folder / name).is_file():
                rows = [np.asarray(features.values[window.start : window.start + window.rows]) for window in part]
                write_atomic(folder / name, _part_bytes(part, tokenizer.encode(rows)))
            progress.advance(float(sum(window.rows for window in part)))
    finally:
        progress.finish()


def _part_bytes(windows: Sequence[Window], codes: Sequence[npt.NDArray[np.int32]]) -> bytes:
    rows = []
    for window, clip in zip(windows, codes, strict=True):
        row = {name: value for name, value in asdict(window).items() if name in SCHEMA.names}
        rows.append({**row, "codes": clip})
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd", compression_level=3)
    return sink.getvalue()


def _manifest(
    tokenizer: Tokenizer,
    features: FeatureSet,
    pieces: Cut,
    plan: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    size = tokenizer.codebook_size
    splits = {split: _describe_split(split, pieces.windows, size, folder) for split in SPLITS}
    evaluation = {}
    for split in EVALUATED_SPLITS:
        some = spread([window for window in pieces.windows if window.split == split], EVALUATED_ROWS)
        evaluation[split] = evaluate_windows(tokenizer, features.values, some).as_plain() if some else None
    return {
        **{name: plan[name] for name in ("format", "representation", "features", "listing")},
        "tokenizer": {**plan["tokenizer"], "provenance": tokenizer.provenance},
        "store": {**plan["store"], "commit": features.commit},
        "codebook": tokenizer.codebook,
        "codebook_size": size,
        "levels": list(tokenizer.levels),
        "rows_per_code": tokenizer.rows_per_code,
        "end_id": size,
        "pad_id": size + 1,
        "window_rule": WINDOW_RULE,
        "skipped": dict(sorted(Counter(skipped.reason for skipped in pieces.skipped).items())),
        "skipped_rule": SKIPPED_RULE,
        "not_encoded": dict(sorted(Counter(skipped.reason for skipped in features.skipped).items())),
        "splits": splits,
        "evaluation": evaluation,
    }


def _describe_split(split: str, windows: Sequence[Window], size: int, folder: Path) -> dict[str, Any]:
    counts = np.zeros(size + 1, dtype=np.int64)
    parts = []
    of_split = [window for window in windows if window.split == split]
    for _, name, part in _parts(of_split):
        data = (folder / name).read_bytes()
        codes = table_of(data, ["codes"]).column("codes").combine_chunks()
        counts[:size] += np.bincount(codes.flatten().to_numpy(zero_copy_only=False), minlength=size)
        parts.append({"file": name, "windows": len(part), "sha256": sha256_hex(data)})
    counts[size] = len(of_split)
    unigram = None
    if of_split:
        buffer = io.BytesIO()
        np.save(buffer, counts, allow_pickle=False)
        name = f"unigram-{split}.npy"
        write_atomic(folder / name, buffer.getvalue())
        unigram = {"file": name, "sha256": sha256_hex(buffer.getvalue())}
    usage = code_usage(counts[:size], size)
    return {
        "windows": len(of_split),
        "clips": len({window.clip_id for window in of_split}),
        "rows": sum(window.rows for window in of_split),
        "captions": sum(len(window.captions) for window in of_split),
        "windows_without_captions": sum(not window.captions for window in of_split),
        "tokens": usage.tokens,
        "distinct_codes": usage.used,
        "exp_entropy": usage.exp_entropy,
        "tokens_per_distinct_code": usage.tokens_per_code,
        "parts": parts,
        "unigram": unigram,
    }
