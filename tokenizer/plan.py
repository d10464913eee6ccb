"""What `scamo train-tokenizer` and `scamo tokenize` do: open the store, choose, say so, train or encode, and report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from motionunion.clip import SPLITS
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet, build_features
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from tokenizer.checkpoint import Tokenizer
from tokenizer.choice import choose_device, drift, matching_tokenizer
from tokenizer.corpus import Corpus
from tokenizer.encode import EVALUATED_SPLITS, build_corpus
from tokenizer.encode_parts import check_workers
from tokenizer.runs import TOKENIZERS
from tokenizer.team import Team, join_team
from tokenizer.trained import TrainedTokenizer
from tokenizer.training_log import last_held_out
from tokenizer.training_run import train
from tokenizer.wish import Wish

FEW_TOKENS_PER_CODE = 20
"""Below this many training tokens for each distinct code, most held-out codes have never been seen in training."""


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
        return train(features, Path(runs), wanted, team, progress)
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
        trained = _found(runs, features, wanted, progress) or train(features, runs, wanted, alone, progress)
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


def _advice(corpus: Corpus) -> str | None:
    train = corpus.manifest["splits"]["train"]
    if not train["tokens"] or train["tokens_per_distinct_code"] >= FEW_TOKENS_PER_CODE:
        return None
    return (
        f"{train['tokens_per_distinct_code']:.1f} training tokens for each distinct code: below about "
        f"{FEW_TOKENS_PER_CODE}, most held-out codes were never seen in training. For text-to-motion on a store of this "
        "size take a smaller codebook: `scamo tokenize --codebook 1024` or 256"
    )
