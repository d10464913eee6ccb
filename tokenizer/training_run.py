"""One training run from a person's wish: the plan, its folder, what is said of it, and the tokenizer that comes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motionunion.errors import ConfigError
from motionunion.features import FeatureSet
from motionunion.progress import Progress
from tokenizer.checkpoint import FILE, Tokenizer
from tokenizer.config import as_plain
from tokenizer.crops import TrainingData, training_data
from tokenizer.presets import Preset, choose_preset, preset_named
from tokenizer.runs import TOKENIZERS, open_run, remove_leftovers
from tokenizer.team import Team
from tokenizer.train import Trainer
from tokenizer.trained import TrainedTokenizer
from tokenizer.training_log import METRICS, Listener, last_held_out
from tokenizer.training_state import STATE
from tokenizer.wish import Wish


def train(features: FeatureSet, runs: Path, wish: Wish, team: Team, progress: Progress) -> TrainedTokenizer:
    """Train the tokenizer that a person wishes for on the train split of a store's features, or go on, or find it finished.

    Of a team every process calls this; the first one writes.

    Raises:
        ConfigError: If the preset, or what replaces its values, cannot be, or is for other features.
        MissingInput: If there is no training window.
        CollapseError: If training failed at every learning rate tried.
    """
    preset, why = _chosen_preset(features, wish, team.device.type)
    if team.rank > 0:
        team.wait()  # the normalised copy and the folder are the first process's
    data = training_data(features, preset.training.feat_bias, progress)
    plan = _plan(features, data, preset, why, wish.seed, team)
    folder = open_run(runs / TOKENIZERS, f"{preset.model.quantizer.kind}{preset.codebook}-{preset.name}", plan)
    if team.rank == 0:
        team.wait()
    finished = (folder / FILE).is_file()
    team.wait()  # all have looked before one of them changes anything
    if finished:
        return _finished(folder, wish, team, progress)
    for line in _plan_in_words(plan, preset, data, folder):
        progress.note(line)
    provenance = {
        "trainer": "motionunion",
        "preset": preset.name,
        **{key: plan[key] for key in ("training", "seed", "device", "store", "statistics", "train")},
    }
    trainer = Trainer(
        folder, data, preset, codebook=preset.codebook, seed=wish.seed, device=plan["device"], provenance=provenance,
        plan=plan, progress=progress, listeners=_listeners(wish, folder, plan) if team.rank == 0 else (), team=team,
    )  # fmt: skip
    tokenizer = trainer.run()
    if team.rank == 0:
        remove_leftovers(folder)
    return TrainedTokenizer(
        folder=folder, tokenizer=tokenizer, trained_now=True, held_out=last_held_out(folder), speaks=team.rank == 0
    )


def _chosen_preset(features: FeatureSet, wish: Wish, device: str) -> tuple[Preset, str]:
    """The preset with what the wish changes of it, and why it is this one."""
    rows = sum(span.rows for span in features.spans if span.split == "train")
    name, why = (wish.preset, "as asked for") if wish.preset else choose_preset(device, rows)
    preset = preset_named(
        name, wish.codebook, quantizer=wish.quantizer, representation=wish.representation, steps=wish.steps,
        changes=wish.changes,
    )  # fmt: skip
    if preset.model.features != features.values.shape[1]:
        raise ConfigError(
            f"preset {name} is for {preset.model.features} features, {features.representation} has "
            f"{features.values.shape[1]}"
        )
    return preset, why


def _plan(features: FeatureSet, data: TrainingData, preset: Preset, why: str, seed: int, team: Team) -> dict[str, Any]:
    """Everything that decides the weights, and the reasons."""
    return {
        "what": "tokenizer",
        "preset": preset.name,
        "why": why,
        "codebook": preset.codebook,
        "codebook_size": preset.model.codebook_size,
        "model": as_plain(preset.model),
        "training": as_plain(preset.training),
        "device": team.device.type,
        "processes": team.size,
        "seed": seed,
        "representation": {"id": features.representation, "parameter_hash": data.parameter_hash},
        "store": {"uuid": features.store_uuid, "fingerprint": features.fingerprint},
        "statistics": data.statistics.provenance,
        "train": {"windows": len(data.train), "rows": data.train_rows},
        "held_out": data.held_out_name,
    }


def _finished(folder: Path, wish: Wish, team: Team, progress: Progress) -> TrainedTokenizer:
    progress.note(f"{folder} is finished")
    if wish.tensorboard or wish.wandb is not None:
        progress.note(f"curves are written while a tokenizer trains; those of this one are in {folder / METRICS}")
    if team.rank == 0:
        (folder / STATE).unlink(missing_ok=True)  # a kill right after the end leaves it
        remove_leftovers(folder)
        # Asked for again: from now on it is the newest, and what `tokenize` takes.
        (folder / FILE).touch()
    return TrainedTokenizer(
        folder=folder, tokenizer=Tokenizer.load(folder), trained_now=False, held_out=last_held_out(folder),
        speaks=team.rank == 0,
    )  # fmt: skip


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
