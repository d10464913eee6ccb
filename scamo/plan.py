"""`train_ar`: from the newest corpus to a trained transformer, in one call that can be killed and called again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from motionunion.progress import SILENT, Progress
from scamo.checkpoint import MODEL_FILE, MODELS, STATE_FILE, load_tensors, save_tensors
from scamo.choice import Choice, choose
from scamo.config import ModelConfig, model_config, preset, to_mapping
from scamo.model import new_model, parameter_count
from scamo.objective import Objective
from scamo.pretrained_text import open_text_encoder
from scamo.reading import VAL_SPLIT, Material, read_material, spread
from scamo.text import TextEncoder, WordEncoder
from scamo.train import Trained, Training
from scamo.unigram import UNSEEN_LIMIT
from scamo.vocabulary import Vocabulary
from tokenizer.choice import choose_device
from tokenizer.corpus import Corpus, newest_corpus, open_corpus
from tokenizer.runs import open_run, plan_hash, remove_leftovers
from tokenizer.team import Team, join_team


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What `train_ar` made, or found made."""

    folder: Path
    already_done: bool
    parameters: int
    """Of the model in its official shape, text encoder left out."""
    train_windows: int
    header: Mapping[str, Any]
    """The header of `model.safetensors`."""
    why: tuple[str, ...]
    advice: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        shown = ("preset", "restricted", "validation", "best_step", "steps", "figures", "tokenizer", "corpus")
        return {
            "folder": str(self.folder),
            "already_done": self.already_done,
            "parameters": self.parameters,
            "train_windows": self.train_windows,
            **{key: self.header[key] for key in shown},
            "l_u_overall_is_headline": self.header["figures"]["unseen_share"] < UNSEEN_LIMIT,
            "why": list(self.why),
            "advice": list(self.advice),
        }


def train_ar(
    runs: Path,
    *,
    model: str | None = None,
    text: str = WordEncoder.id,
    corpus: Path | None = None,
    device: str | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    softmax: str = "auto",
    seed: int = 0,
    progress: Progress = SILENT,
) -> TrainReport:
    """Train the text-prefix transformer.

    Args:
        runs: Folder of tokenizers, corpora and models.
        model: Size (`tiny`, `44M`, ...); from the table of `scamo.choice` if not given.
        text: `words`, or a Hugging Face encoder by name or folder.
        corpus: A corpus folder; the newest of `runs` if not given.
        device: `cpu`, `cuda`, `cuda:1`; a GPU where there is one if not given.
        steps, learning_rate: Instead of the table's.
        softmax: `auto`, `seen` or `all` codes.
        seed: Of weights, batches and dropout.

    Raises:
        MissingInput: If there is no corpus, it has several codes for a step, or none of its training windows has a caption.
    """
    team = join_team(torch.device(choose_device(device)))
    try:
        return _train(runs, model, text, corpus, team, steps, learning_rate, softmax, seed, progress)
    finally:
        team.leave()


def _train(
    runs: Path,
    model: str | None,
    text: str,
    corpus_folder: Path | None,
    team: Team,
    steps: int | None,
    learning_rate: float | None,
    softmax: str,
    seed: int,
    progress: Progress,
) -> TrainReport:
    corpus = open_corpus(corpus_folder or newest_corpus(runs))
    material = read_material(corpus, seed)
    choice = choose(
        material.train, material.unigram, team.device.type, model=model, softmax=softmax, steps=steps,
        learning_rate=learning_rate, seed=seed,
    )  # fmt: skip
    encoder = _text_encoder(text, runs, team.device, material, choice)
    config = model_config(choice.model, codebook_size=corpus.codebook_size, text_width=encoder.width)
    why = (*choice.why, *_remarks(material))
    plan = _plan(corpus, config, choice, encoder, material)
    if team.rank == 0:
        open_run(runs / MODELS, choice.model, plan)
    team.wait()
    folder = open_run(runs / MODELS, choice.model, plan)
    already_done = (folder / MODEL_FILE).is_file()
    if team.rank == 0:
        for line in (f"corpus {corpus.path.name}, tokenizer {corpus.tokenizer_path.name}", *why, *choice.advice):
            progress.note(line)
    team.wait()
    if not already_done:
        vocabulary = Vocabulary(corpus.codebook_size, material.unigram.seen if choice.restricted else None)
        objective = Objective(vocabulary.cut(new_model(config, choice.training.seed)), encoder, vocabulary)
        val = spread(material.val, choice.training.val_windows)
        trained = Training(
            objective.to(team.device), material.train, val, material.unigram, choice.training, folder,
            plan_hash=plan_hash(plan), team=team,
        ).run(progress if team.rank == 0 else SILENT)  # fmt: skip
        assert trained is not None  # only `stop_after` ends a run early
        if team.rank == 0:
            header = {
                **plan,
                "preset": choice.model,
                "text": _text_header(text, encoder),
                "why": list(why),
                "advice": list(choice.advice),
                "best_step": trained.best_step,
                "steps": choice.training.steps,
                "figures": trained.best_figures,
            }
            _export(folder, header, config, material, vocabulary, trained)
    if team.rank == 0:
        if already_done:
            # Asked for again: from now on it is the newest, and what is generated and evaluated.
            (folder / MODEL_FILE).touch()
        _tidy(folder)
    team.wait()
    _, header = load_tensors(folder / MODEL_FILE)
    return TrainReport(folder, already_done, parameter_count(config), len(material.train), header, why, choice.advice)


def _text_encoder(name: str, runs: Path, device: torch.device, material: Material, choice: Choice) -> TextEncoder:
    if name != WordEncoder.id:
        return open_text_encoder(name, runs, device)
    return WordEncoder.of(
        (caption for texts in material.train.captions for caption in texts),
        preset(choice.model)["word_width"],
        seed=choice.training.seed,
        word_dropout=choice.training.word_dropout,
    )


def _text_header(name: str, encoder: TextEncoder) -> dict[str, Any]:
    vocabulary = {"vocabulary": list(encoder.vocabulary)} if isinstance(encoder, WordEncoder) else {}
    return {"id": encoder.id, "name": name, **vocabulary}


def _remarks(material: Material) -> tuple[str, ...]:
    """What a person should know about the data of this run."""
    remarks = []
    if material.without_captions:
        remarks.append(f"{material.without_captions:,} training windows have no caption and are not used")
    if material.validation != VAL_SPLIT:
        remarks.append(f"validation: {material.validation}")
    return tuple(remarks)


def _plan(
    corpus: Corpus, config: ModelConfig, choice: Choice, encoder: TextEncoder, material: Material
) -> dict[str, Any]:
    """Everything that decides the weights; its hash names the folder."""
    return {
        "kind": "transformer",
        "model": to_mapping(config),
        "training": to_mapping(choice.training),
        "restricted": choice.restricted,
        "text": {"id": encoder.id},
        "validation": material.validation,
        "corpus": {"name": corpus.path.name, "fingerprint": corpus.fingerprint},
        "tokenizer": {
            "name": corpus.tokenizer_path.name,
            "hash": corpus.tokenizer_hash,
            "representation": corpus.representation,
        },
    }


def _export(
    folder: Path,
    header: Mapping[str, Any],
    config: ModelConfig,
    material: Material,
    vocabulary: Vocabulary,
    trained: Trained,
) -> None:
    """Write the best weights in the official shapes."""
    weights = {name.removeprefix("model."): each for name, each in trained.best.items() if name.startswith("model.")}
    # The first weights come from the same seed again: rows of codes that training never saw keep exactly those.
    full = vocabulary.write_back(weights, new_model(config, header["training"]["seed"]))
    beside = {name: each for name, each in trained.best.items() if name.startswith("words.")}
    counts = torch.from_numpy(material.unigram.counts)
    save_tensors(folder / MODEL_FILE, {**full.state_dict(), **beside, "corpus.unigram_counts": counts}, header)


def _tidy(folder: Path) -> None:
    """Remove what only training needed; also what a kill right after the export left."""
    for path in (folder / STATE_FILE, *folder.glob("best-*.safetensors")):
        path.unlink(missing_ok=True)
    remove_leftovers(folder)
