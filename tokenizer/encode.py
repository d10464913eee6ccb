"""From windows to a corpus: encoding in parts, each written whole, so that a killed run goes on at the next part.

What is in a part, and in what batches it is encoded, follows from the listing of windows alone; so do the bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.clip import SPLITS
from motionunion.digest import canonical_json, sha256_file, sha256_hex, update_with_array, write_atomic
from motionunion.errors import MissingInput
from motionunion.features import FeatureSet
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from motionunion.windows import MAX_ROWS, MIN_ROWS, Cut, Window, cut
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import FORMAT, MANIFEST, Corpus, open_corpus, table_of
from tokenizer.corpus_schema import code_type
from tokenizer.crops import spread
from tokenizer.encode_parts import Part, encode_parts
from tokenizer.evaluation.evaluate import evaluate_windows
from tokenizer.quantizers import quantizer_plain
from tokenizer.runs import CORPORA, TOKENIZERS, alone_in, open_run, remove_leftovers
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
    *,
    tokenizer_folder: Path | None = None,
    licences: Mapping[str, str | None] | None = None,
    engine: str | None = None,
    jobs: int | None = 1,
) -> Corpus:
    """Encode every window of a feature set; the corpus is in `runs/corpora/`. A finished one is verified, and only what is missing
    or damaged in it is made again.

    Args:
        tokenizer: Of the same representation as `features`.
        tokenizer_name: Its folder in `runs/tokenizers/`, or one inside of that, with a slash.
        features: Features of the whole store.
        runs: The runs folder.
        progress: Told of rows encoded.
        tokenizer_folder: Where other processes find the tokenizer; `runs/tokenizers/<tokenizer_name>` where None.
        licences: Of each clip, by its id; null in the corpus where it is not said.
        engine: `pool` or `ray`; None takes a pool where there is enough to do. The bytes are the same.
        jobs: Processes; None = one for every core, or GPU. Others than one read features and tokenizer from their folders.

    Raises:
        UsageError: No such engine, or no job.
        MissingInput: If tokenizer and features are of different representations, no span is long enough, or another process is
            at work on this corpus.
    """
    if tokenizer.representation != features.representation:
        raise MissingInput(
            f"tokenizer {tokenizer_name} is for {tokenizer.representation}, the features are {features.representation}; "
            "train one for them with `scamo train-tokenizer`"
        )
    pieces = cut(features)
    if not pieces.windows:
        raise MissingInput(f"no span of the store has {MIN_ROWS} rows: there is nothing to encode")
    parts = _parts(pieces.windows, features, licences or {})
    listing = sha256_hex(
        canonical_json(
            [
                (asdict(window), beside)
                for part in parts
                for window, beside in zip(part.windows, part.beside, strict=True)
            ]
        )
    )
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
    folder = open_run(runs / CORPORA, tokenizer_name.replace("/", "-"), plan)
    with alone_in(folder):
        _set_aside_damage(folder, [part.file for part in parts], progress)
        if not (folder / MANIFEST).is_file():
            encode_parts(
                parts, tokenizer, tokenizer_folder or runs / TOKENIZERS / tokenizer_name, features, folder,
                engine=engine, jobs=jobs, progress=progress,
            )  # fmt: skip
            manifest = _manifest(tokenizer, features, pieces, parts, plan, folder)
            manifest["sha256"] = sha256_hex(canonical_json(manifest))
            write_atomic(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
        else:
            # Asked for again: from now on it is the newest.
            (folder / MANIFEST).touch()
        remove_leftovers(folder)
    return open_corpus(folder)


def _set_aside_damage(folder: Path, files: Sequence[str], progress: Progress) -> None:
    """Remove what is damaged of a finished corpus, and its manifest, so that what is not there is made again."""
    if not (folder / MANIFEST).is_file():
        return
    sums = open_corpus(folder).checksums
    bad = [
        name
        for name in sorted({*files, *sums})
        if not (folder / name).is_file() or sha256_file(folder / name) != sums.get(name)
    ]
    for name in bad:
        progress.note(f"{folder / name} is missing or damaged, and is made again")
    for name in set(bad).intersection(files):  # the manifest's word alone removes nothing; unigrams are written anyway
        (folder / name).unlink(missing_ok=True)
    if bad:
        (folder / MANIFEST).unlink()


def _parts(windows: Sequence[Window], features: FeatureSet, licences: Mapping[str, str | None]) -> list[Part]:
    """Every part, in order."""
    frames = {span.span_id: (span.first_frame, span.stop_frame) for span in features.spans}
    parts: list[Part] = []
    for split in SPLITS:
        of_split = [window for window in windows if window.split == split]
        for number, first in enumerate(range(0, len(of_split), PART_WINDOWS)):
            some = of_split[first : first + PART_WINDOWS]
            beside: list[Mapping[str, Any]] = [
                {
                    "licence": licences.get(window.clip_id),
                    "span_first_frame": frames[window.span_id][0],
                    "span_stop_frame": frames[window.span_id][1],
                }
                for window in some
            ]
            parts.append(Part(len(parts), split, f"{split}-{number:05d}.parquet", some, beside))
    return parts


def _manifest(
    tokenizer: Tokenizer,
    features: FeatureSet,
    pieces: Cut,
    parts: Sequence[Part],
    plan: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    size = tokenizer.codebook_size
    splits = {
        split: _describe_split([part for part in parts if part.split == split], split, size, folder) for split in SPLITS
    }
    evaluation = {}
    for split in EVALUATED_SPLITS:
        some = spread([window for window in pieces.windows if window.split == split], EVALUATED_ROWS)
        evaluation[split] = evaluate_windows(tokenizer, features.values, some).in_brief() if some else None
    return {
        **{name: plan[name] for name in ("format", "representation", "features", "listing")},
        "tokenizer": {**plan["tokenizer"], "provenance": tokenizer.provenance},
        "store": {**plan["store"], "commit": features.commit},
        "codebook": tokenizer.codebook,
        "codebook_size": size,
        "levels": list(tokenizer.levels),
        "code_type": str(code_type(size)),
        "codes_per_step": tokenizer.codes_per_step,
        "rows_per_code": tokenizer.rows_per_code,
        "rows_per_second": str(registry.get(features.representation).rate),
        "quantizer": quantizer_plain(tokenizer.model.config.quantizer),
        "statistics": {"mean": _sha256_array("mean", tokenizer.mean_D), "std": _sha256_array("std", tokenizer.std_D)},
        "end_id": size,
        "pad_id": size + 1,
        "window_rule": WINDOW_RULE,
        "skipped": dict(sorted(Counter(skipped.reason for skipped in pieces.skipped).items())),
        "skipped_rule": SKIPPED_RULE,
        "not_encoded": dict(sorted(Counter(skipped.reason for skipped in features.skipped).items())),
        "splits": splits,
        "evaluation": evaluation,
    }


def _sha256_array(name: str, array: npt.NDArray[np.float32]) -> str:
    digest = hashlib.sha256()
    update_with_array(digest, name, array)
    return digest.hexdigest()


def _describe_split(parts: Sequence[Part], split: str, size: int, folder: Path) -> dict[str, Any]:
    counts = np.zeros(size + 1, dtype=np.int64)
    files = []
    of_split = [window for part in parts for window in part.windows]
    for part in parts:
        data = (folder / part.file).read_bytes()
        codes = table_of(data, ["codes"]).column("codes").combine_chunks()
        counts[:size] += np.bincount(codes.flatten().to_numpy(zero_copy_only=False), minlength=size)
        files.append({"file": part.file, "windows": len(part.windows), "sha256": sha256_hex(data)})
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
        "parts": files,
        "unigram": unigram,
    }
