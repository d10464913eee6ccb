"""From a sentence to a motion: prompt, codes, features, joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import motionunion
from motionunion.errors import MissingInput, MotionUnionError, UsageError
from motionunion.progress import SILENT, Progress
from motionunion.representations.registry import get
from scamo.checkpoint import write_whole
from scamo.reading import refuse_several
from scamo.sampling import SamplingOptions
from scamo.trained import TrainedTransformer, newest_model
from tokenizer.checkpoint import Tokenizer
from tokenizer.choice import choose_device


@dataclass(frozen=True, eq=False)
class Generated:
    """One motion made for one prompt."""

    prompt: str
    codes: npt.NDArray[np.int32]
    features: npt.NDArray[np.float32]
    """(T, D) in the representation of the tokenizer, T = 4 x codes; row t describes the step from frame t to t + 1."""
    joints: npt.NDArray[np.floating[Any]]
    """(T, 22, 3) metres, Y up."""
    fps: float


def load_tokenizer_of(trained: TrainedTransformer) -> Tokenizer:
    """The tokenizer that a model's codes belong to.

    Raises:
        MissingInput: If its folder is not beside the model's, or it has several codes for a step.
        MotionUnionError: If the folder holds another tokenizer now: its codes would mean other motions.
    """
    named = trained.header["tokenizer"]
    folder = trained.folder.parent.parent / "tokenizers" / named["name"]
    if not folder.is_dir():
        raise MissingInput(f"{trained.folder}: its tokenizer {folder} is not there; copy it beside the model")
    tokenizer = Tokenizer.load(folder)
    if tokenizer.hash != named["hash"]:
        raise MotionUnionError(
            f"{folder} is not the tokenizer that {trained.folder} was trained with (hash {tokenizer.hash[:12]}, not "
            f"{named['hash'][:12]}); bring that one back, or train again with `scamo train-ar`"
        )
    refuse_several(folder, tokenizer.codes_per_step)
    return tokenizer


def generate(
    prompts: Sequence[str],
    *,
    runs: Path,
    model: Path | None = None,
    seed: int = 0,
    options: SamplingOptions | None = None,
    device: str | None = None,
    progress: Progress = SILENT,
) -> list[Generated]:
    """One motion for each prompt.

    Args:
        prompts: Sentences. A prompt's motion depends on the seed, on the prompt and on how often it came before in the
            list, not on the others.
        runs: Folder of tokenizers and models.
        model: A model folder; the newest of `runs` if not given.
        seed: Of every draw.
        options: How codes are chosen; top-p 0.9, from 4 to 49 codes if not given.
        device: Where the transformer runs: `cpu`, `cuda`, ...; a GPU where there is one if not given.

    Raises:
        UsageError: If a prompt has no word, the options allow an empty motion, or the device is not there.
        MissingInput: If there is no model, or its tokenizer is missing.
    """
    chosen = options or SamplingOptions()
    if chosen.min_tokens < 1:
        raise UsageError("--min-tokens must be at least 1: a motion of no frames is no motion")
    trained = TrainedTransformer.load(model or newest_model(runs), runs=runs, device=choose_device(device))
    tokenizer = load_tokenizer_of(trained)
    if trained.restricted:
        progress.note(
            f"{trained.folder.name} knows the {trained.objective.vocabulary.size:,} codes of its training corpus, of "
            f"{tokenizer.codebook_size:,}"
        )
    for prompt in prompts:
        if unknown := trained.unknown_words(prompt):
            progress.note(f"{prompt!r}: the model does not know {', '.join(map(repr, unknown))}")
    codes = trained.sample(prompts, seed=seed, options=chosen)
    features = tokenizer.decode(codes)
    joints = motionunion.decode(features, tokenizer.representation)
    fps = float(get(tokenizer.representation).rate)
    return [Generated(*each, fps) for each in zip(prompts, codes, features, joints, strict=True)]


def write_generated(results: Sequence[Generated], folder: Path) -> list[dict[str, Any]]:
    """Write `<number>-<words of the prompt>` `.joints.npy`, `.features.npy` and `.gif` for each motion.

    Returns:
        What was written, one entry for each motion, for a table or JSON.

    Raises:
        MotionUnionError: The folder cannot be made or written.
    """
    try:
        return _write(results, folder)
    except OSError as error:
        raise MotionUnionError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); make room or permission, or name "
            "another folder with --out"
        ) from error


def _write(results: Sequence[Generated], folder: Path) -> list[dict[str, Any]]:
    from motionunion.render import write_gif

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, result in enumerate(results):
        words = "".join(letter if letter.isalnum() else "-" for letter in result.prompt.lower())[:40].strip("-")
        stem = f"{number:03d}-{words}"
        files = {kind: folder / f"{stem}{end}" for kind, end in _ENDINGS.items()}
        for kind, array in (("joints", result.joints), ("features", result.features)):
            write_whole(files[kind], lambda path, array=array: _save(path, array))  # type: ignore[misc]
        write_gif(result.joints, result.fps, files["gif"], title=result.prompt)
        written.append(
            {
                "prompt": result.prompt,
                "codes": result.codes.tolist(),
                "frames": len(result.joints),
                "seconds": len(result.joints) / result.fps,
                **{kind: str(path) for kind, path in files.items()},
            }
        )
    return written


_ENDINGS = {"joints": ".joints.npy", "features": ".features.npy", "gif": ".gif"}


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
