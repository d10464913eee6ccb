"""What an evaluation stands on, found and fitted together: store, features, corpus, tokenizer, model, items, evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motionunion.digest import sha256_file
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet, build_features
from motionunion.progress import Progress
from motionunion.representations import registry
from motionunion.statistics import statistics_of
from motionunion.windows import Window, cut
from scamo.checkpoint import MODEL_FILE, MODELS
from scamo.evaluation import official, protocol, standin
from scamo.evaluation.evaluator import Evaluator
from scamo.evaluation.protocol import TEMPLATE_BODY, ItemSet
from scamo.reading import refuse_several
from scamo.trained import TrainedTransformer, newest_model
from tokenizer.checkpoint import Tokenizer
from tokenizer.corpus import Corpus, open_corpus
from tokenizer.runs import CORPORA, TOKENIZERS

EVALUATORS = "evaluators"
_BRING_CAPTIONS = (
    "bring some with `motionunion ingest DIR` (a HumanML3D folder with `index.csv` and `texts/` beside the AMASS files) or "
    "`motionunion captions import FILE`, then `scamo tokenize` and `scamo train-ar` again"
)
_SEEN = "items whose recording is in the corpus's training or validation split"
ROOT_BIAS = 5.0
"""The stand-in sees root motion and contacts with deviations divided by this; Guo's evaluator divides by 25."""

_NO_CAPTIONS = f"the store has no captions, and this evaluation compares motions with captions: {_BRING_CAPTIONS}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """Everything that decides a table, but for the evaluator and the seed."""

    features: FeatureSet
    windows: Sequence[Window]
    corpus: Corpus
    tokenizer: Tokenizer
    model: TrainedTransformer
    leaked_groups: frozenset[str]
    """Groups of the corpus's training and validation windows: nothing of them may be evaluated, whatever the store now
    says. Validation counts too: it chose the model's best step."""
    template_training: int
    """Training windows of the corpus that are on the template body."""

    def test_windows(self) -> list[Window]:
        """Windows of the test split that the model was neither trained nor chosen on."""
        return [w for w in self.windows if w.split == "test" and w.group not in self.leaked_groups]

    def digests(self) -> dict[str, str]:
        """What the inputs are, by hash."""
        return {
            "store": self.features.fingerprint,
            "features": self.features.key,
            "corpus": self.corpus.fingerprint,
            "tokenizer": self.tokenizer.hash,
            "model": sha256_file(self.model.folder / MODEL_FILE),
        }


def gather(
    store: str | Path, runs: Path, model: Path | None, device: str, jobs: int | None, progress: Progress
) -> Inputs:
    """Open a model (the newest of `runs` if not given), the corpus and tokenizer that it was trained on, and the store.

    Raises:
        MissingInput: If one of them is not there, they do not belong together, or there are several codes for a step.
    """
    from motionunion import open_store  # the store reads its index with what a bare training machine lacks

    motion = open_store(store)
    # Before the model is asked for: without captions `scamo train-ar` cannot make one either.
    if motion.rows("SELECT count(*) FROM captions WHERE clip_id IS NOT NULL") == [(0,)]:
        raise MissingInput(f"{store}: {_NO_CAPTIONS}")
    folder = _model_folder(runs, model)
    trained = TrainedTransformer.load(folder, runs=runs, device=device)
    corpus = open_corpus(runs / CORPORA / trained.header["corpus"]["name"])
    if corpus.fingerprint != trained.header["corpus"]["fingerprint"]:
        raise MissingInput(f"{corpus.path} is no longer the corpus that {folder} was trained on; run `scamo train-ar`")
    refuse_several(corpus.path, corpus.codes_per_step)
    tokenizer = Tokenizer.load(runs / TOKENIZERS / trained.header["tokenizer"]["name"], device)
    if tokenizer.hash != trained.header["tokenizer"]["hash"]:
        raise MissingInput(f"the tokenizer in {runs} is no longer the one of {folder}; run `scamo tokenize` again")
    if tokenizer.parameter_hash != registry.get(tokenizer.representation).parameter_hash:
        raise MissingInput(
            f"the tokenizer of {folder} was trained on features that this version encodes otherwise "
            f"({tokenizer.representation} has other parameters now); run `scamo tokenize` and `scamo train-ar` again"
        )
    if not tokenizer.representation.startswith("hml263@"):
        raise UsageError(
            f"the HumanML3D evaluator reads 263 features, the tokenizer of {folder} makes {tokenizer.representation}"
        )
    features = build_features(motion, tokenizer.representation, jobs, progress, verify=True)
    training = _columns(corpus, "train")
    return Inputs(
        features=features,
        windows=cut(features).windows,
        corpus=corpus,
        tokenizer=tokenizer,
        model=trained,
        leaked_groups=frozenset([*training["group"], *_columns(corpus, "val")["group"]]),
        template_training=training["body"].count(TEMPLATE_BODY),
    )


def _model_folder(runs: Path, model: Path | None) -> Path:
    if model is None:
        return newest_model(runs)
    for folder in (model, runs / MODELS / model):
        if (folder / MODEL_FILE).is_file():
            return folder
    raise MissingInput(
        f"{model}: no {MODEL_FILE} there, nor in {runs / MODELS / model}; `scamo train-ar` makes a model"
    )


def _columns(corpus: Corpus, split: str) -> dict[str, list[str]]:
    """Group and body of every window of a split."""
    found: dict[str, list[str]] = {"group": [], "body": []}
    for table in corpus.tables(split):
        for name, values in found.items():
            values.extend(table.column(name).to_pylist())
    return found


def choose_items(inputs: Inputs, *, official_weights: bool) -> tuple[ItemSet, bool]:
    """The items, and whether they are HumanML3D's own test items.

    Raises:
        MissingInput: If there is no captioned test motion; the message names what brings it.
    """
    if official_weights and any(protocol.is_official_test(span) for span in inputs.features.spans):
        # HumanML3D's own list decides here; that nothing of it was trained on is checked all the same.
        found = protocol.official_items(inputs.features)
        is_official = True
    else:
        found = protocol.window_items(inputs.features, inputs.windows)
        is_official = False
    clean = [item for item in found.items if item.group not in inputs.leaked_groups]
    if leaked := len(found.items) - len(clean):
        found.dropped[_SEEN] = leaked
    if not clean:
        raise MissingInput(_explain_no_items(inputs, found))
    return ItemSet(clean, found.dropped), is_official


def _explain_no_items(inputs: Inputs, found: ItemSet) -> str:
    if not any(window.captions for window in inputs.windows):
        return _NO_CAPTIONS
    if not any(window.split == "test" for window in inputs.windows):
        return (
            "the store has no test split: none of its motion falls there, by an official split or by the hash rule; "
            "ingest a HumanML3D folder (its test.txt decides the split) or more motion with `motionunion ingest DIR`"
        )
    if _SEEN in found.dropped:
        return "all test items are in the corpus's training or validation split: run `scamo tokenize` and `scamo train-ar` on this store"
    return f"no window of the store's test split has a caption ({found.dropped}): {_BRING_CAPTIONS}"


def open_evaluator(
    inputs: Inputs, runs: Path, folder: Path | None, device: str, seed: int, progress: Progress
) -> Evaluator:
    """The published evaluator from `folder` or `runs/evaluators/official`; where that is not there, a stand-in.

    Raises:
        MissingInput: If `folder` is given, or the default one begun, and a file is missing; the message lists each.
    """
    default = runs / EVALUATORS / "official"
    if folder is not None or default.is_dir():
        return official.load_official(folder or default, device=device)
    name, why = standin.choose_preset(device.split(":")[0])
    progress.note(
        f"{official.explain_missing(default)}\ninstead, a stand-in ({name}: {why}) learns from the training split"
    )
    items = protocol.window_items(inputs.features, inputs.windows, split="train").items
    # Of the windows that are trained on, and of no others.
    statistics = statistics_of(
        (inputs.features.values[item.start : item.start + item.rows] for item in items),
        inputs.features.representation,
        split="train",
        clips_hash=inputs.features.spans_hash("train"),
        feat_bias=ROOT_BIAS,
    )
    return standin.train_or_load(
        runs / EVALUATORS,
        items,
        inputs.features.values,
        mean=statistics.mean.astype(np.float64),
        std=statistics.std.astype(np.float64),
        features_key=inputs.features.key,
        preset_name=name,
        seed=seed,
        device=device,
        progress=progress,
    )
