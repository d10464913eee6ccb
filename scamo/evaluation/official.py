"""Guo's published evaluator: files, weights, words and statistics.

The folder is laid out as the authors' own downloads unpack:

    text_mot_match/model/finest.tar     a torch pickle, despite its name
    glove/our_vab_data.npy, glove/our_vab_words.pkl, glove/our_vab_idx.pkl

The normalisation comes from `manifests/evaluator_stats_t2m.json`: it can be rebuilt neither from HumanML3D's own
Mean/Std nor from data, since the evaluator was trained with root and contact deviations divided by 25.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import pickletools
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from motionunion.digest import sha256_file
from motionunion.errors import MissingInput, SourceFormatError
from scamo.evaluation.evaluator import Evaluator
from scamo.evaluation.networks import EvaluatorConfig, EvaluatorNetworks
from scamo.evaluation.words import Vocabulary

WEIGHTS = "text_mot_match/model/finest.tar"
VECTORS, WORDS, ROWS = "glove/our_vab_data.npy", "glove/our_vab_words.pkl", "glove/our_vab_idx.pkl"
ORIGINS: dict[str, str] = {
    WEIGHTS: "the pretrained text-motion matching model of EricGuo5513/text-to-motion (its README, `t2m` archive)",
    VECTORS: "the GloVe archive named in the README of EricGuo5513/text-to-motion",
    WORDS: "the same GloVe archive",
    ROWS: "the same GloVe archive",
}
_PARTS = ("movement_encoder", "motion_encoder", "text_encoder")
# What a pickled list of words or table of rows consists of. Nothing here can name a class or call anything.
_PLAIN_OPCODES = {
    "PROTO", "FRAME", "MARK", "STOP", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS",
    "BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2",
}  # fmt: skip


def missing_files(folder: Path) -> list[str]:
    """Which of the four files are not in a folder, as paths relative to it."""
    return [name for name in ORIGINS if not (folder / name).is_file()]


def explain_missing(folder: Path) -> str:
    """One line per missing file and where it comes from."""
    lines = [f"the official evaluator is not complete in {folder}; missing:"]
    lines += [f"  {name}: from {ORIGINS[name]}" for name in missing_files(folder)]
    return "\n".join(lines)


def statistics() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and deviation (263,) of the evaluator's input, checked against the digests of the published files."""
    stored = json.loads((files("manifests") / "evaluator_stats_t2m.json").read_text(encoding="utf-8"))
    arrays = []
    for name in ("mean", "std"):
        array = np.array(stored[name], dtype=np.float64)
        published = io.BytesIO()
        np.save(published, array)
        if hashlib.sha256(published.getvalue()).hexdigest() != stored[f"sha256_of_{name}_npy"]:
            raise SourceFormatError(
                "manifests/evaluator_stats_t2m.json", f"`{name}` is not the published one; reinstall the package"
            )
        arrays.append(array)
    return arrays[0], arrays[1]


def load_official(folder: Path, *, device: torch.device | str = "cpu") -> Evaluator:
    """The published evaluator from its own files.

    Raises:
        MissingInput: If a file is missing; the message lists each and where it comes from.
        SourceFormatError: If a file is not what it should be: other keys or shapes, a pickle with objects in it.
    """
    if missing_files(folder):
        raise MissingInput(explain_missing(folder))
    networks = EvaluatorNetworks(EvaluatorConfig())
    networks.load_state_dict(_read_weights(folder / WEIGHTS, networks), strict=True)
    digest = hashlib.sha256("".join(sha256_file(folder / name) for name in ORIGINS).encode()).hexdigest()
    mean, std = statistics()
    return Evaluator(
        networks=networks.eval().requires_grad_(False).to(device),
        vocabulary=_read_vocabulary(folder),
        mean=mean,
        std=std,
        official=True,
        digest=digest,
        description="Guo et al. (CVPR 2022), published weights",
    )


def _read_weights(path: Path, networks: EvaluatorNetworks) -> dict[str, torch.Tensor]:
    try:
        # The file also holds optimiser states; `weights_only` admits them as the plain tensors and numbers they are.
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no one error for a file that is not a checkpoint
        raise SourceFormatError(path, f"not a torch checkpoint of plain tensors ({type(error).__name__})") from error
    if not isinstance(stored, dict) or any(not isinstance(stored.get(part), dict) for part in _PARTS):
        raise SourceFormatError(path, f"lacks one of {', '.join(_PARTS)}")
    weights = {f"{part}.{key}": value for part in _PARTS for key, value in stored[part].items()}
    wanted = networks.state_dict()
    for key in sorted(weights.keys() ^ wanted.keys()):
        raise SourceFormatError(path, f"{'lacks' if key in wanted else 'has an unknown key'} {key}")
    for key, tensor in wanted.items():
        if not isinstance(weights[key], torch.Tensor) or weights[key].shape != tensor.shape:
            found = tuple(getattr(weights[key], "shape", ()))
            raise SourceFormatError(path, f"{key} has shape {found}, the evaluator's is {tuple(tensor.shape)}")
    return weights


def _read_vocabulary(folder: Path) -> Vocabulary:
    try:
        vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise SourceFormatError(folder / VECTORS, f"not a plain .npy array ({error})") from error
    if vectors.ndim != 2 or vectors.shape[1] != EvaluatorConfig().word or vectors.dtype.kind != "f":
        raise SourceFormatError(folder / VECTORS, f"{vectors.dtype} of shape {vectors.shape}; (N, 300) floats expected")
    words, rows = read_plain_pickle(folder / WORDS), read_plain_pickle(folder / ROWS)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise SourceFormatError(folder / WORDS, "not a list of words")
    if not isinstance(rows, dict) or not all(isinstance(w, str) and isinstance(r, int) for w, r in rows.items()):
        raise SourceFormatError(folder / ROWS, "not a table of words and row numbers")
    lost = [word for word in words if not 0 <= rows.get(word, -1) < len(vectors)]
    if lost or not {"sos", "eos", "unk"} <= set(words):
        raise SourceFormatError(
            folder / ROWS,
            f"{len(lost)} of {len(words)} words have no vector (first: {lost[:3]}), or sos, eos, unk lack",
        )
    return Vocabulary({word: rows[word] for word in words}, np.asarray(vectors, dtype=np.float32))


class _NoObjects(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def read_plain_pickle(path: Path) -> Any:
    """A pickle of strings, integers, lists and tables, and of nothing else.

    Every instruction is looked at before any is obeyed, so a file can neither call something nor ask for memory that
    its own size does not justify.

    Raises:
        SourceFormatError: If it holds anything else, or ends too early.
    """
    data = path.read_bytes()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name not in _PLAIN_OPCODES:
                raise SourceFormatError(path, f"a pickle with the instruction {opcode.name}", reason="pickled")
            if "PUT" in opcode.name and (argument or 0) > len(data):
                raise SourceFormatError(path, "a pickle with a memo number beyond its size", reason="header_lies")
        return _NoObjects(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, ValueError, EOFError, IndexError, KeyError) as error:
        raise SourceFormatError(path, f"a damaged pickle ({error})", reason="truncated") from error
