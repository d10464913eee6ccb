"""The files of a feature folder: written as streams, each with its digest in sealed JSON, and verified against it.

`features.json` carries its own digest and those of `values.npy` and `spans.parquet`; every `normalised-<hash>.npy` has a
`normalised-<hash>.json` of the same kind beside it. Opening a folder verifies the JSON, the spans, and the size and
header of each array; `verify_features` reads everything, and so does whoever writes a normalised copy.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from motionunion.digest import sha256_file, write_atomic
from motionunion.errors import StoreError, UsageError
from motionunion.moments import MomentsCounter
from motionunion.progress import SILENT, Progress
from motionunion.span_table import write_spans
from motionunion.spans import Span
from motionunion.store.commits import seal, unseal

FORMAT = 2
META, VALUES, SPANS = "features.json", "values.npy", "spans.parquet"
BUILDING_PREFIX = ".building-"
_NAME = re.compile(re.escape(BUILDING_PREFIX) + r".*|[^.].*@.*-[0-9a-f]{16}")
LEFT_ALONE_S = 24 * 3600.0
"""A build that wrote nothing for this long is nobody's any more."""
PIECE_ROWS = 8192
"""Rows that are held at a time where an array is read or written as a stream: 8.6 MB of 263 features."""

FloatRows = npt.NDArray[np.float32]


def write_sealed(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that carries its own digest, whole or not at all."""
    write_atomic(path, seal(value))


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a byte is not what was written.
    """
    try:
        return unseal(path.name, path.read_bytes())
    except StoreError:
        raise ValueError(f"{path.name} does not have the digest that it carries") from None


def write_features(
    folder: Path,
    spans: Sequence[Span],
    chunks: Iterable[tuple[FloatRows, str]],
    *,
    dims: int,
    about: dict[str, Any],
    progress: Progress = SILENT,
) -> None:
    """Write a feature folder, `features.json` last.

    Args:
        folder: A new or empty folder.
        spans: What lies in the array, in order.
        chunks: The array's rows in pieces, each with the split that it belongs to.
        dims: Columns.
        about: What else `features.json` says.
        progress: Told how many rows are written.

    Raises:
        ValueError: If the chunks do not add up to the spans' rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = sum(span.rows for span in spans)
    train = MomentsCounter(dims)

    def counted() -> Iterator[FloatRows]:
        for chunk, split in chunks:
            if split == "train":
                train.add(chunk)
            yield chunk

    values_sha256 = write_rows(folder / VALUES, (rows, dims), counted(), progress)
    write_spans(folder / SPANS, spans)
    meta = {
        **about,
        "format": FORMAT,
        "dims": dims,
        "rows": rows,
        "spans": len(spans),
        "values_sha256": values_sha256,
        "spans_sha256": sha256_file(folder / SPANS),
        "train_moments": train.moments.to_json(),
    }
    write_sealed(folder / META, meta)


def write_rows(path: Path, shape: tuple[int, int], chunks: Iterable[FloatRows], progress: Progress = SILENT) -> str:
    """Write one (N, D) npy of float32 from chunks of rows, durably; returns the sha256 of the file.

    Written as a stream: a full disk is an error here, and a bus error in a memory map.
    """
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    digest = hashlib.sha256(header.getvalue())
    written = 0
    progress.start("writing features", float(shape[0]), "rows")
    try:
        with path.open("wb") as out:
            out.write(header.getvalue())
            for chunk in chunks:
                plain = np.ascontiguousarray(chunk, dtype="<f4")
                out.write(plain.data)
                digest.update(plain.data)
                written += len(plain)
                progress.advance(float(len(plain)))
            out.flush()
            os.fsync(out.fileno())
    finally:
        progress.finish()
    if written != shape[0]:
        raise ValueError(f"{path.name}: {written} rows were written where there are {shape[0]}")
    return digest.hexdigest()


def open_rows(path: Path, shape: tuple[int, int]) -> FloatRows:
    """Map an array that `write_rows` wrote into memory, read-only.

    Raises:
        OSError: If it cannot be read.
        ValueError: If its header or its size is not that of float32 rows of this shape.
    """
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.dtype != np.dtype("<f4") or mapped.shape != shape or not mapped.flags.c_contiguous:
        raise ValueError(f"{path.name} holds {mapped.dtype} {mapped.shape}, expected float32 {shape}")
    if path.stat().st_size != mapped.offset + mapped.nbytes:
        raise ValueError(f"{path.name} goes on behind its last row")
    rows: FloatRows = mapped
    return rows


def read_pieces(path: Path, shape: tuple[int, int], digest: Any) -> Iterator[FloatRows]:
    """Read an array that `write_rows` wrote in pieces of rows, feeding every byte of the file to `digest`."""
    with path.open("rb") as file:
        digest.update(file.read(path.stat().st_size - 4 * shape[0] * shape[1]))
        while data := file.read(PIECE_ROWS * shape[1] * 4):
            digest.update(data)
            yield np.frombuffer(data, dtype="<f4").reshape(-1, shape[1])


def verify_features(folder: Path) -> list[str]:
    """Read every byte of a feature folder that anything relies on; returns what is wrong, in words.

    A stream: memory does not grow with the folder. What a killed process left unfinished is no problem, for nothing reads
    it. `motionunion check` calls this for every folder in the store's cache; one that holds no features has no problems.
    """
    folder = Path(folder)
    if not _holds_features(folder) or folder.name.startswith(BUILDING_PREFIX):
        return []
    cure = "delete the folder, it will be built again"
    try:
        meta = read_sealed(folder / META)
        if meta["format"] != FORMAT:
            return [f"{folder / META}: format {meta['format']}, this version reads {FORMAT}; {cure}"]
        wanted = [(VALUES, meta["values_sha256"]), (SPANS, meta["spans_sha256"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"{folder / META}: damaged ({error}); {cure}"]
    problems = [f"{folder / name}: {what}; {cure}" for name, sha in wanted if (what := _trouble(folder / name, sha))]
    for about in sorted(folder.glob("normalised-*.json")):
        copy = about.with_suffix(".npy")
        cure = f"delete {copy.name} and {about.name}, they will be written again"
        try:
            sha = read_sealed(about)["sha256"]
        except (OSError, ValueError, KeyError) as error:
            problems.append(f"{about}: damaged ({error}); {cure}")
            continue
        if what := _trouble(copy, sha):
            problems.append(f"{copy}: {what}; {cure}")
    return problems


def _trouble(path: Path, sha256: str) -> str:
    try:
        return "" if sha256_file(path) == sha256 else "is not the file that was written"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def stale_features(cache_dir: Path, fingerprint: str) -> list[Path]:
    """What in a store's cache no command will open again: whole feature folders, sorted. Nothing is removed here.

    These are features of another state of the store, of a representation that is not known or has other parameters by now,
    folders that are damaged or of another format, and builds that wrote nothing for a day. A process that has such a folder
    open keeps what it has mapped (POSIX); whoever asks for that state again builds it again.

    Args:
        cache_dir: `Store.cache_dir`.
        fingerprint: The store's fingerprint at the commit whose features are kept.
    """
    if not Path(cache_dir).is_dir():
        return []
    folders = sorted(entry for entry in Path(cache_dir).iterdir() if entry.is_dir())
    return [folder for folder in folders if _holds_features(folder) and _is_stale(folder, fingerprint)]


def _holds_features(folder: Path) -> bool:
    """Whether a folder of a store's cache is one of ours, whole or not; archives are unpacked there as well."""
    return bool(_NAME.fullmatch(folder.name)) or (folder / META).exists()


def is_left_alone(path: Path) -> bool:
    """Whether nobody has written a file, or a folder and what lies right in it, for a day.

    What goes away while it is looked at has somebody at work on it.
    """
    try:
        newest: float = max(one.stat().st_mtime for one in (path, *(path.iterdir() if path.is_dir() else ())))
    except FileNotFoundError:
        return False
    return time.time() - newest > LEFT_ALONE_S


def _is_stale(folder: Path, fingerprint: str) -> bool:
    from motionunion.representations import registry

    if folder.name.startswith(BUILDING_PREFIX):
        return is_left_alone(folder)
    try:
        meta = read_sealed(folder / META)
        known = registry.get(meta["representation"]).parameter_hash
        return bool((meta["format"], meta["fingerprint"], meta["parameter_hash"]) != (FORMAT, fingerprint, known))
    except (OSError, ValueError, KeyError, UsageError):
        return True
