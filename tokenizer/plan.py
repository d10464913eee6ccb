"""What `scamo train-tokenizer` and `scamo tokenize` do: open the store, choose, say so, train or encode, and report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionunion.clip import SPLITS
from motionunion.errors import ConfigError
from motionunion.features import FeatureSet, build_features
from motionunion.progress import SILENT, Progress
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.choice import choose_device, drift, matching_tokenizer
from tokenizer.config import Preset, as_plain, choose_preset, preset_named
from tokenizer.corpus import Corpus
from tokenizer.crops import TrainingData, training_data
from tokenizer.encode import EVALUATED_SPLITS, build_corpus
from tokenizer.quantizers import levels_of
from tokenizer.runs import TOKENIZERS, open_run, remove_leftovers
from tokenizer.train import STATE, Trainer, read_metrics

REPRESENTATION = "hml263@20/compat"
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

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "tokenizer": str(self.folder),
            "hash": self.tokenizer.hash,
            "codebook": self.tokenizer.codebook,
            "codebook_size": self.tokenizer.codebook_size,
            "levels": list(self.tokenizer.levels),
            "representation": self.tokenizer.representation,
            "preset": self.tokenizer.provenance.get("preset"),
            "trained_now": self.trained_now,
            "failed_attempts": self.tokenizer.provenance.get("failed_attempts", []),
            "held_out": dict(self.held_out) if self.held_out else None,
        }


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


def train_tokenizer(
    store: str,
    runs: Path,
    *,
    codebook: int = 65536,
    preset: str | None = None,
    steps: int | None = None,
    device: str | None = None,
    jobs: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> TrainedTokenizer:
    """Train a tokenizer on the present state of a store, or go on with one, or find it finished.

    Args:
        store: Folder of the store.
        runs: Folder of runs; the tokenizer goes to `runs/tokenizers/`.
        codebook: Nominal codebook size.
        preset: Name of a preset; chosen by a fixed table from device and rows where None.
        steps: Training steps in place of the preset's.
        device: `cpu`, `cuda`, ...; a GPU where there is one if None.
        jobs: Worker processes for building features.
        seed: Of every random choice.
        progress: Told of the plan and of every step.

    Raises:
        MissingInput: If the store has no training window.
        ConfigError: If the codebook size, the preset, the steps or the device cannot be.
        CollapseError: If training failed at every learning rate tried.
    """
    levels_of(codebook)  # an unknown size is refused before any work
    target = choose_device(device)
    features = _features(store, jobs, progress)
    return _train(features, Path(runs), codebook, preset, steps, target, seed, progress)


def tokenize(
    store: str,
    runs: Path,
    *,
    codebook: int = 65536,
    preset: str | None = None,
    device: str | None = None,
    jobs: int | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Tokenized:
    """Encode a store into a corpus, training a tokenizer first only where no matching one is there.

    A tokenizer matches by representation, codebook and, where one is given, preset; of several, one of this store
    comes first, then the newest. Arguments and errors are those of `train_tokenizer`.
    """
    levels_of(codebook)
    runs = Path(runs)
    target = choose_device(device)
    features = _features(store, jobs, progress)
    found = matching_tokenizer(runs, features, codebook, preset)
    if found is None:
        wanted = f"codebook {codebook}, {features.representation}" + (f", preset {preset}" if preset else "")
        progress.note(f"no finished tokenizer in {runs / TOKENIZERS} matches ({wanted}): one is trained first")
        trained = _train(features, runs, codebook, preset, None, target, seed, progress)
    else:
        trained = TrainedTokenizer(
            folder=found,
            tokenizer=Tokenizer.load(found),
            trained_now=False,
            held_out=_last_held_out(found),
        )
        progress.note(f"using the tokenizer {found}" + drift(trained.tokenizer, features))
    corpus = build_corpus(trained.tokenizer.to(target), trained.folder.name, features, runs, progress)
    return Tokenized(tokenizer=trained, corpus=corpus, advice=_advice(corpus))


def _features(store: str, jobs: int | None, progress: Progress) -> FeatureSet:
    from motionunion import open_store  # the store reads its index with what a bare training machine lacks

    return build_features(open_store(store), REPRESENTATION, jobs, progress, verify=True)


def _train(
    features: FeatureSet,
    runs: Path,
    codebook: int,
    preset_name: str | None,
    steps: int | None,
    device: str,
    seed: int,
    progress: Progress,
) -> TrainedTokenizer:
    rows = sum(span.rows for span in features.spans if span.split == "train")
    name, why = (preset_name, "as asked for") if preset_name else choose_preset(device, rows)
    preset = preset_named(name, codebook, steps=steps)
    if preset.model.features != features.values.shape[1]:
        raise ConfigError(
            f"preset {name} is for {preset.model.features} features, {features.representation} has "
            f"{features.values.shape[1]}"
        )
    data = training_data(features, preset.training.feat_bias, progress)
    kind = device.split(":")[0]
    plan = {
        "what": "tokenizer",
        "preset": name,
        "why": why,
        "codebook": codebook,
        "codebook_size": preset.model.codebook_size,
        "model": as_plain(preset.model),
        "training": as_plain(preset.training),
        "device": kind,
        "seed": seed,
        "representation": {"id": features.representation, "parameter_hash": data.parameter_hash},
        "store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint},
        "statistics": data.statistics.provenance,
        "train": {"windows": len(data.train), "rows": data.train_rows},
        "held_out": data.held_out_name,
    }
    folder = open_run(runs / TOKENIZERS, f"fsq{codebook}-{name}", plan)
    if (folder / FILE).is_file():
        progress.note(f"{folder} is finished")
        (folder / STATE).unlink(missing_ok=True)  # a kill right after the end leaves it
        remove_leftovers(folder)
        # Asked for again: from now on it is the newest, and what `tokenize` takes.
        (folder / FILE).touch()
        return TrainedTokenizer(
            folder=folder, tokenizer=Tokenizer.load(folder), trained_now=False, held_out=_last_held_out(folder)
        )
    for line in _plan_in_words(plan, preset, data, folder):
        progress.note(line)
    provenance = {
        "trainer": "motionunion",
        "preset": name,
        "training": as_plain(preset.training),
        "seed": seed,
        "device": kind,
        "store": plan["store"],
        "statistics": data.statistics.provenance,
        "train": plan["train"],
    }
    trainer = Trainer(
        folder, data, preset, codebook=codebook, seed=seed, device=device, provenance=provenance, plan=plan,
        progress=progress,
    )  # fmt: skip
    tokenizer = trainer.run()
    remove_leftovers(folder)
    return TrainedTokenizer(folder=folder, tokenizer=tokenizer, trained_now=True, held_out=_last_held_out(folder))


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
    if training.precision == "bf16" and plan["device"] == "cpu":
        lines.append("bf16 autocast is for GPUs; this run is float32")
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


def _last_held_out(folder: Path) -> Mapping[str, Any] | None:
    found = [entry for entry in read_metrics(folder) if entry["kind"] == "held_out"]
    return found[-1] if found else None


def _advice(corpus: Corpus) -> str | None:
    train = corpus.manifest["splits"]["train"]
    if not train["tokens"] or train["tokens_per_distinct_code"] >= FEW_TOKENS_PER_CODE:
        return None
    return (
        f"{train['tokens_per_distinct_code']:.1f} training tokens for each distinct code: below about "
        f"{FEW_TOKENS_PER_CODE}, most held-out codes were never seen in training. For text-to-motion on a store of this "
        "size take a smaller codebook: `scamo tokenize --codebook 1024` or 256"
    )
