"""From codes back to motion: features, joints and a GIF, of windows of a corpus or of codes in a file."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import motionunion
from motionunion.digest import write_atomic
from motionunion.errors import MissingInput, MotionUnionError, UsageError
from motionunion.formats.npy import read_npy
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import Corpus, CorpusWindow


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Coded:
    """A motion as codes."""

    name: str
    codes: npt.NDArray[np.int32]
    """(N,), or (N, Q) of several codes a step."""
    caption: str | None = None


def tokenizer_of(corpus: Corpus) -> Tokenizer:
    """The tokenizer that a corpus's codes belong to.

    Raises:
        MissingInput: If it is not beside the corpus, or is another one now: its codes would mean other motions.
    """
    tokenizer = Tokenizer.load(corpus.tokenizer_path)
    if tokenizer.hash != corpus.tokenizer_hash:
        raise MissingInput(
            f"{corpus.tokenizer_path} is not the tokenizer of {corpus.path} (hash {tokenizer.hash[:12]}, not "
            f"{corpus.tokenizer_hash[:12]}); bring that one back, or run `scamo tokenize` again"
        )
    return tokenizer


def windows_named(corpus: Corpus, names: Sequence[str]) -> list[Coded]:
    """Windows by their ids, or by the name of their clip (`004822`: all windows of it), in the order of the corpus.

    Raises:
        UsageError: If a name is that of no window.
    """
    wanted, said, found = set(names), set[str](), []
    for split in corpus.splits:
        for window in corpus.windows(split):
            matched = wanted & {window.window_id, window.name}
            if matched:
                found.append(_coded(corpus, window))
                said |= matched
    if wanted - said:
        raise UsageError(
            f"{corpus.path} has no window {', '.join(sorted(wanted - said))}; its columns `window_id` and `name` say which"
        )
    return found


def first_windows(corpus: Corpus, split: str, count: int) -> list[Coded]:
    """The first windows of a split.

    Raises:
        UsageError: If the split has none.
    """
    found: list[Coded] = []
    if split in corpus.splits:
        found = [_coded(corpus, window) for window in corpus.windows(split)[:count]]
    if not found:
        raise UsageError(f"{corpus.path} has no window in the split {split!r}; it has {', '.join(corpus.splits)}")
    return found


def codes_in(path: Path, codes_per_step: int) -> Coded:
    """Codes of a `.npy` file, (N,) or (N, Q).

    Raises:
        SourceFormatError: If the file cannot be read.
        UsageError: If it does not hold whole numbers of that shape, at least one.
    """
    codes = read_npy(path)
    shape = ("N",) if codes_per_step == 1 else ("N", codes_per_step)
    if codes.dtype.kind not in "iu" or codes.ndim != len(shape) or codes.shape[1:] != shape[1:] or not len(codes):
        raise UsageError(
            f"{path}: holds {codes.dtype} of shape {codes.shape}; wanted whole numbers of shape ({', '.join(map(str, shape))}), "
            "N at least 1"
        )
    if codes.dtype.kind == "u":  # beyond what a signed number holds, 2^63 would be negative
        codes = codes.clip(max=1 << 30)
    return Coded(name=path.stem, codes=codes.astype(np.int64).clip(-1, 1 << 30).astype(np.int32))


def decode_to(
    motions: Sequence[Coded], tokenizer: Tokenizer, folder: Path, *, gif: bool = True, progress: Progress = SILENT
) -> list[dict[str, Any]]:
    """Write `<name>.features.npy` (T, D), `<name>.joints.npy` (T, 22, 3) in metres, Y up, and `<name>.gif` of each motion.

    Returns:
        What was written, one entry for each motion.

    Raises:
        UsageError: If two motions have one name, or a code is outside the tokenizer's codebook.
        MotionUnionError: If the folder cannot be written.
    """
    seen = Counter(motion.name for motion in motions)
    if twice := [name for name, count in seen.items() if count > 1]:
        raise UsageError(
            f"{len(twice)} names are there twice ({twice[0]}, ...), and the files of one motion would take the place of the "
            "other's: decode them one by one, each into its own --out"
        )
    for motion in motions:
        if motion.codes.min() < 0 or motion.codes.max() >= tokenizer.codebook_size:
            raise UsageError(
                f"{motion.name}: has codes from {motion.codes.min():,} to {motion.codes.max():,}, and those of "
                f"this tokenizer are 0 ... {tokenizer.codebook_size - 1:,}; is it another tokenizer's?"
            )
    progress.start("decoding", float(len(motions)), "motions")
    try:
        return list(_decoded(motions, tokenizer, Path(folder), gif, progress))
    except OSError as error:
        raise MotionUnionError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); make room or permission, or name "
            "another folder with --out"
        ) from error
    finally:
        progress.finish()


def _decoded(
    motions: Sequence[Coded], tokenizer: Tokenizer, folder: Path, gif: bool, progress: Progress
) -> Iterator[dict[str, Any]]:
    from motionunion.render import write_gif

    fps = float(registry.get(tokenizer.representation).rate)
    for motion, features in zip(motions, tokenizer.decode([one.codes for one in motions]), strict=True):
        joints = motionunion.decode(features, tokenizer.representation)
        files = {"features": folder / f"{motion.name}.features.npy", "joints": folder / f"{motion.name}.joints.npy"}
        write_atomic(files["features"], _npy(features))
        write_atomic(files["joints"], _npy(joints))
        if gif:
            files["gif"] = folder / f"{motion.name}.gif"
            write_gif(joints, fps, files["gif"], title=motion.name, caption=motion.caption)
        progress.advance(1.0)
        yield {
            "name": motion.name,
            "caption": motion.caption,
            "codes": int(motion.codes.size),
            "frames": len(joints),
            "seconds": len(joints) / fps,
            **{kind: str(path) for kind, path in files.items()},
        }


def _coded(corpus: Corpus, window: CorpusWindow) -> Coded:
    caption = window.captions[0].text if window.captions else None
    return Coded(name=window.window_id, codes=corpus.by_step(window.codes), caption=caption)


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def decode_items(
    corpus: Corpus,
    items: Sequence[str],
    folder: Path,
    *,
    split: str = "train",
    count: int = 4,
    gif: bool = True,
    progress: Progress = SILENT,
) -> list[dict[str, Any]]:
    """Decode windows of a corpus (by id or name) and files of codes (`*.npy`) by the corpus's tokenizer; see `decode_to`.

    Without `items`, the first `count` windows of a split.
    """
    tokenizer = tokenizer_of(corpus)
    files = [item for item in items if item.endswith(".npy")]
    names = [item for item in items if not item.endswith(".npy")]
    motions = [codes_in(Path(file), corpus.codes_per_step) for file in files]
    if names:
        motions += windows_named(corpus, names)
    if not items:
        motions = first_windows(corpus, split, count)
    return decode_to(motions, tokenizer, folder, gif=gif, progress=progress)
