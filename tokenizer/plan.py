"""What `scamo train-tokenizer` and `scamo tokenize` do: open the store, choose, say so, train or encode, and report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from motionunion.clip import SPLITS
from motionunion.errors import ConfigError, MissingInput, UsageError
from motionunion.features import FeatureSet, build_features
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from tokenizer.checkpoint import FILE, Tokenizer, describe
from tokenizer.choice import choose_device, drift, matching_tokenizer
from tokenizer.config import Asked, Changes, Preset, as_plain, asked_for, choose_preset, preset_named
from tokenizer.corpus import Corpus
from tokenizer.crops import TrainingData, training_data
from tokenizer.encode import EVALUATED_SPLITS, build_corpus
from tokenizer.encode_parts import check_workers
from tokenizer.quantizers import quantizer_plain
from tokenizer.runs import TOKENIZERS, open_run, remove_leftovers
from tokenizer.team import Team, join_team
from tokenizer.train import BEST, Trainer
from tokenizer.training_log import Listener, last_held_out
from tokenizer.training_state import STATE

FEW_TOKENS_PER_CODE = 20
"""Below this many training tokens for each distinct code, most held-out codes have never been seen in training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedTokenizer:
    """A tokenizer and how it came about."""

    folder: Path
    tokenizer: Tokenizer
    trained_now: bool
    """False where a finished one was found."""
    held_out: Mapping[str, Any] | None
    """Last held-out scores of its training, as `metrics.jsonl` has them."""
    speaks: bool = True
    """Whether this process is the one, of those that trained together, that reports."""

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "tokenizer": str(self.folder),
            "hash": self.tokenizer.hash,
            "codebook": self.tokenizer.codebook,
            "codebook_size": self.tokenizer.codebook_size,
            "levels": list(self.tokenizer.levels),
            "codes_per_step": self.tokenizer.codes_per_step,
            "quantizer": quantizer_plain(self.tokenizer.model.config.quantizer),
            "representation": self.tokenizer.representation,
            "preset": self.tokenizer.provenance.get("preset"),
            "trained_now": self.trained_now,
            "failed_attempts": self.tokenizer.provenance.get("failed_attempts", []),
            "held_out": dict(self.held_out) if self.held_out else None,
            "best": self._best(),
        }

    def _best(self) -> dict[str, Any] | None:
        """Folder and step of the weights that scored best on held-out windows; None where a run kept none."""
        folder = self.folder / BEST
        if not (folder / FILE).is_file():
            return None
        return {"tokenizer": str(folder), "step": describe(folder)["provenance"]["step"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenized:
    """A corpus and the tokenizer that made it."""

    tokenizer: TrainedTokenizer
    corpus: Corpus
    advice: str | None
    """What to consider before training on this corpus."""

    def as_plain(self) -> dict[str, Any]:
        """As JSON types; `fingerprint` is the corpus's."""
        manifest = self.corpus.manifest
        splits = {name: manifest["splits"][name] for name in SPLITS}
        return {
            "corpus": str(self.corpus.path),
            "fingerprint": self.corpus.fingerprint,
            "clips": sum(split["clips"] for split in splits.values()),
            "windows": sum(split["windows"] for split in splits.values()),
            "codes": sum(split["tokens"] for split in splits.values()),
            "splits": {
                name: {key: value for key, value in split.items() if key not in ("parts", "unigram")}
                for name, split in splits.items()
            },
            "skipped": manifest["skipped"],
            "skipped_rule": manifest["skipped_rule"],
            "evaluation": {name: manifest["evaluation"][name] for name in EVALUATED_SPLITS},
            "advice": self.advice,
            **self.tokenizer.as_plain(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks of a tokenizer; None leaves it to the preset, or to the table that chooses one."""

    codebook: int | None = None
    """Nominal codebook size."""
    preset: str | None = None
    quantizer: str | None = None
    """Kind of quantiser."""
    representation: str | None = None
    steps: int | None = None
    changes: Changes | None = None
    """Values in place of the preset's; see `config.preset_named`."""
    seed: int = 0
    tensorboard: bool = False
    """Whether event files for TensorBoard are written."""
    wandb: str | None = None
    """Project of Weights & Biases that the log goes to as well."""

    def asked(self) -> Asked:
        """Codes and representation; refused here, before any work, where they cannot be."""
        changes = (self.changes or {}).get("quantizer", {})
        return asked_for(self.preset, self.codebook, self.quantizer, self.representation, changes)


def train_tokenizer(
    store: str,
    runs: Path,
    *,
    device: str | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
    **wish: Any,
) -> TrainedTokenizer:
    """Train a tokenizer on the present state of a store, or go on with one, or find it finished.

    Under `torchrun` the processes train together, and the first one speaks and writes.

    Args:
        store: Folder of the store.
        runs: Folder of runs; the tokenizer goes to `runs/tokenizers/`.
        device: `cpu`, `cuda`, ...; a GPU where there is one if None.
        jobs: Worker processes for building features.
        progress: Told of the plan and of every step.
        wish: Fields of `Wish`: codebook, preset, quantizer, representation, steps, changes, seed, tensorboard, wandb.

    Raises:
        MissingInput: If the store has no training window.
        ConfigError: If the codebook size, the quantiser, the preset, the steps or the device cannot be.
        CollapseError: If training failed at every learning rate tried.
    """
    wanted = Wish(**wish)
    representation = wanted.asked().representation
    team = join_team(torch.device(choose_device(device)))
    try:
        if team.rank > 0:
            progress = SILENT
            team.wait()  # the first process builds the features, the others find them
        features = _features(store, jobs, progress, representation)
        if team.rank == 0:
            team.wait()
        return _train(features, Path(runs), wanted, team, progress)
    finally:
        team.leave()


def tokenize(
    store: str,
    runs: Path,
    *,
    device: str | None = None,
    jobs: int | None = None,
    engine: str | None = None,
    progress: Progress = SILENT,
    tokenizer: Path | None = None,
    **wish: Any,
) -> Tokenized:
    """Encode a store into a corpus, training a tokenizer first only where no matching one is there.

    A tokenizer matches by representation, quantiser with its settings, codebook and, where one is given, preset; of
    several, one of this store comes first, then the newest. Arguments and errors are those of `train_tokenizer`, and:

    Args:
        jobs: Worker processes for building features and for encoding.
        engine: Who encodes; see `encode_parts.encode_parts`. Features are built by processes of this machine.
        tokenizer: Folder of the one to use, in place of any that is wished for.

    Raises:
        UsageError: If a tokenizer is given that lies elsewhere than in `runs/tokenizers`, or together with other wishes.
        MissingInput: If the given tokenizer is none, or is for features that other constants make.
    """
    wanted = Wish(**wish)
    asked = wanted.asked()
    check_workers(engine, jobs)
    runs = Path(runs)
    target = choose_device(device)
    if tokenizer is not None:
        if dataclasses.replace(wanted, seed=0) != Wish():
            raise UsageError(f"--tokenizer {tokenizer} is trained: leave out what would choose or train another")
        trained = _given(runs, Path(tokenizer))
        features = _features(store, jobs, progress, trained.tokenizer.representation)
    else:
        features = _features(store, jobs, progress, asked.representation)
        alone = Team(0, 1, torch.device(target))
        trained = _found(runs, features, wanted, progress) or _train(features, runs, wanted, alone, progress)
    corpus = build_corpus(
        trained.tokenizer.to(target), _name(runs, trained.folder), features, runs, progress,
        licences=_licences(store, features), tokenizer_folder=trained.folder, engine=engine, jobs=jobs,
    )  # fmt: skip
    return Tokenized(tokenizer=trained, corpus=corpus, advice=_advice(corpus))


def _found(runs: Path, features: FeatureSet, wish: Wish, progress: Progress) -> TrainedTokenizer | None:
    """The tokenizer in a runs folder that matches a wish."""
    asked = wish.asked()
    folder = matching_tokenizer(runs, features, asked.codebook, wish.preset, asked.quantizer)
    if folder is None:
        words = f"codebook {asked.codebook}, {asked.quantizer.kind}, {features.representation}"
        words += f", preset {wish.preset}" if wish.preset else ""
        progress.note(f"no finished tokenizer in {runs / TOKENIZERS} matches ({words}): one is trained first")
        return None
    tokenizer = Tokenizer.load(folder)
    progress.note(f"using the tokenizer {folder}" + drift(tokenizer, features))
    return TrainedTokenizer(folder=folder, tokenizer=tokenizer, trained_now=False, held_out=last_held_out(folder))


def _given(runs: Path, folder: Path) -> TrainedTokenizer:
    tokenizer = Tokenizer.load(folder)
    if not folder.resolve().is_relative_to((runs / TOKENIZERS).resolve()):
        raise UsageError(
            f"--tokenizer {folder}: must lie in {runs / TOKENIZERS}, where those who read the corpus look for it; copy it there"
        )
    constants = registry.get(tokenizer.representation).parameter_hash
    if tokenizer.parameter_hash != constants:
        raise MissingInput(
            f"{folder} was made for {tokenizer.representation} with other constants than this version's; train one again"
        )
    return TrainedTokenizer(folder=folder, tokenizer=tokenizer, trained_now=False, held_out=last_held_out(folder))


def _name(runs: Path, folder: Path) -> str:
    """What a corpus calls a tokenizer: its place below `runs/tokenizers`."""
    return folder.resolve().relative_to((runs / TOKENIZERS).resolve()).as_posix()


def _features(store: str, jobs: int | None, progress: Progress, representation: str) -> FeatureSet:
    from motionunion import open_store  # the store reads its index with what a bare training machine lacks

    return build_features(open_store(store), representation, jobs, progress, verify=True)


def _licences(store: str, features: FeatureSet) -> dict[str, str | None]:
    """Of every clip, as the index of the features' commit says."""
    from motionunion import open_store

    return dict(open_store(store, at=features.commit).rows("SELECT clip_id, licence FROM clips"))


def _train(features: FeatureSet, runs: Path, wish: Wish, team: Team, progress: Progress) -> TrainedTokenizer:
    kind = team.device.type
    rows = sum(span.rows for span in features.spans if span.split == "train")
    name, why = (wish.preset, "as asked for") if wish.preset else choose_preset(kind, rows)
    preset = preset_named(
        name, wish.codebook, quantizer=wish.quantizer, representation=wish.representation, steps=wish.steps,
        changes=wish.changes,
    )  # fmt: skip
    if preset.model.features != features.values.shape[1]:
        raise ConfigError(
            f"preset {name} is for {preset.model.features} features, {features.representation} has "
            f"{features.values.shape[1]}"
        )
    if team.rank > 0:
        team.wait()  # the normalised copy and the folder are the first process's
    data = training_data(features, preset.training.feat_bias, progress)
    plan = {
        "what": "tokenizer",
        "preset": name,
        "why": why,
        "codebook": preset.codebook,
        "codebook_size": preset.model.codebook_size,
        "model": as_plain(preset.model),
        "training": as_plain(preset.training),
        "device": kind,
        "processes": team.size,
        "seed": wish.seed,
        "representation": {"id": features.representation, "parameter_hash": data.parameter_hash},
        "store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint},
        "statistics": data.statistics.provenance,
        "train": {"windows": len(data.train), "rows": data.train_rows},
        "held_out": data.held_out_name,
    }
    folder = open_run(runs / TOKENIZERS, f"{preset.model.quantizer.kind}{preset.codebook}-{name}", plan)
    if team.rank == 0:
        team.wait()
    finished = (folder / FILE).is_file()
    team.wait()  # all have looked before one of them changes anything
    if finished:
        progress.note(f"{folder} is finished")
        if team.rank == 0:
            (folder / STATE).unlink(missing_ok=True)  # a kill right after the end leaves it
            remove_leftovers(folder)
            # Asked for again: from now on it is the newest, and what `tokenize` takes.
            (folder / FILE).touch()
        return TrainedTokenizer(
            folder=folder, tokenizer=Tokenizer.load(folder), trained_now=False, held_out=last_held_out(folder),
            speaks=team.rank == 0,
        )  # fmt: skip
    for line in _plan_in_words(plan, preset, data, folder):
        progress.note(line)
    provenance = {
        "trainer": "motionunion",
        "preset": name,
        "training": as_plain(preset.training),
        "seed": wish.seed,
        "device": kind,
        "store": plan["store"],
        "statistics": data.statistics.provenance,
        "train": plan["train"],
    }
    trainer = Trainer(
        folder, data, preset, codebook=preset.codebook, seed=wish.seed, device=kind, provenance=provenance, plan=plan,
        progress=progress, listeners=_listeners(wish, folder, plan) if team.rank == 0 else (), team=team,
    )  # fmt: skip
    tokenizer = trainer.run()
    if team.rank == 0:
        remove_leftovers(folder)
    return TrainedTokenizer(
        folder=folder, tokenizer=tokenizer, trained_now=True, held_out=last_held_out(folder), speaks=team.rank == 0
    )


def _listeners(wish: Wish, folder: Path, plan: Mapping[str, Any]) -> tuple[Listener, ...]:
    listeners: list[Listener] = []
    if wish.tensorboard:
        from tokenizer.tensorboard import EventFiles

        listeners.append(EventFiles(folder / "tensorboard"))
    if wish.wandb is not None:
        from tokenizer.wandb_run import WandbRun

        listeners.append(WandbRun(wish.wandb, folder, plan))
    return tuple(listeners)


def _plan_in_words(plan: Mapping[str, Any], preset: Preset, data: TrainingData, folder: Path) -> list[str]:
    training, model = preset.training, preset.model
    tokens = data.train_rows // model.rows_per_code
    lines = [
        f"codebook {plan['codebook']}: {plan['codebook_size']:,} codes in truth, {model.quantizer.in_words()}",
        f"preset {preset.name} ({plan['why']}): width {model.width}, {training.steps:,} steps of {training.batch} crops "
        f"of {training.crop_rows} rows",
        f"{len(data.train):,} training windows, {data.train_rows:,} rows, {tokens:,} tokens; held out: {data.held_out_name}",
        f"into {folder}",
    ]
    if plan["processes"] > 1:
        lines.append(f"{plan['processes']} processes train together, each on its share of every batch")
    if training.guard_steps and training.steps < min(training.guard_steps):
        lines.append(
            f"the guard against collapsed codes begins again only from step {min(training.guard_steps):,} on, after the end "
            "of this run: look at the exponential entropy"
        )
    if hasattr(os, "getloadavg"):
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
        if load > 0.75 * cores:
            lines.append(f"this machine is busy (load {load:.1f} on {cores} cores): training will take longer")
    return lines


def _advice(corpus: Corpus) -> str | None:
    train = corpus.manifest["splits"]["train"]
    if not train["tokens"] or train["tokens_per_distinct_code"] >= FEW_TOKENS_PER_CODE:
        return None
    return (
        f"{train['tokens_per_distinct_code']:.1f} training tokens for each distinct code: below about "
        f"{FEW_TOKENS_PER_CODE}, most held-out codes were never seen in training. For text-to-motion on a store of this "
        "size take a smaller codebook: `scamo tokenize --codebook 1024` or 256"
    )
