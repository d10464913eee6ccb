"""`scamo eval tokenizer`: reconstruction and codes of tokenizers on a store, and FID and R-precision where an evaluator is there.

RUNS/evaluations/tokenizer-<hash>/    plan.json, table.md, evaluation.json; with several tokenizers figure.png and figure.svg
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from motionunion.clip import SPLITS
from motionunion.digest import write_atomic
from motionunion.errors import MissingInput, UsageError
from motionunion.features import FeatureSet, build_features
from motionunion.progress import SILENT, Progress
from motionunion.representations import registry
from motionunion.windows import Window, cut
from scamo.evaluation.judge import Judge, open_judge
from scamo.evaluation.run import EVALUATIONS
from scamo.evaluation.table import MARKDOWN, RESULT
from tokenizer.checkpoint import FILE, Tokenizer, describe
from tokenizer.choice import choose_device, drift
from tokenizer.evaluation.evaluate import GroupScores, evaluate_groups
from tokenizer.evaluation.table import Table, groups_table, join_notes, markdown, number
from tokenizer.runs import TOKENIZERS, folders_with, open_run, remove_leftovers
from tokenizer.sweep.figure import draw_sweep
from tokenizer.sweep.report import measured_groups, sweep_table
from tokenizer.sweep.run import CELLS, SWEEPS, CellResult

FORMAT = "tokenizer-evaluation/1"
DEFAULT_SPLITS = ("val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One tokenizer and its figures."""

    name: str
    label: str
    """Quantiser, recipe and width: tokenizers that share these are one line of a figure."""
    hash: str
    codebook: int
    codebook_size: int
    codes_per_step: int
    note: str
    """What to know of its own training data; empty where it is this store's present training split."""
    groups: tuple[GroupScores, ...]
    judged: Mapping[str, Any] | None
    """FID, R-precision, matching score and diversity of its reconstruction of test motion; see `scamo.evaluation.scoring.Row`."""

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "groups": [group.as_plain() for group in self.groups]}

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Evaluated:
        """What `as_plain` gave."""
        groups = tuple(GroupScores.from_plain(one) for one in plain["groups"])
        return Evaluated(**{**plain, "groups": groups})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerEvaluation:
    """What `scamo eval tokenizer` found."""

    folder: Path
    representation: str
    tokenizers: tuple[Evaluated, ...]
    real: Mapping[str, Any] | None
    """The row of real motion, by which the others are read; None without an evaluator."""
    evaluator: str
    """Which weights judged, or why none did."""

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "format": FORMAT,
            "evaluation": str(self.folder),
            "representation": self.representation,
            "evaluator": self.evaluator,
            "real": self.real,
            "tokenizers": [one.as_plain() for one in self.tokenizers],
        }

    @staticmethod
    def read(folder: Path) -> TokenizerEvaluation:
        """A finished evaluation from its folder.

        Raises:
            MissingInput: If it cannot be read as one.
        """
        try:
            plain = json.loads((folder / RESULT).read_bytes())
            return TokenizerEvaluation(
                folder=folder,
                tokenizers=tuple(Evaluated.from_plain(one) for one in plain["tokenizers"]),
                **{name: plain[name] for name in ("representation", "real", "evaluator")},
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MissingInput(f"{folder / RESULT} is damaged ({error}); remove it and run the same command") from error

    def cells(self) -> list[CellResult]:
        """The tokenizers as a sweep's table and figure have them."""
        return [
            CellResult(
                variant=one.label, codebook=one.codebook, codebook_size=one.codebook_size,
                codes_per_step=one.codes_per_step, groups=one.groups,
            )
            for one in sorted(self.tokenizers, key=lambda one: (one.label, one.codebook))
        ]  # fmt: skip

    def tables(self) -> list[Table]:
        """The tables that a person sees, in order."""
        if len(self.tokenizers) > 1:
            found = self._side_by_side()
        else:
            found = [_groups(one, "" if self.real else self.evaluator) for one in self.tokenizers]
        return [*found, self._judged()] if self.real else found

    def _side_by_side(self) -> list[Table]:
        cells = self.cells()
        notes = join_notes(
            *(f"{one.name}{one.note}" for one in self.tokenizers if one.note), "" if self.real else self.evaluator
        )
        return [
            sweep_table(f"{len(cells)} tokenizers, {group}", cells, split, group, notes)
            for split, group in measured_groups(cells)
        ]

    def _judged(self) -> Table:
        columns = ("", "N", "R@1", "R@2", "R@3", "FID", "matching score", "diversity")
        rows = [("real", self.real), *((one.name, one.judged) for one in self.tokenizers)]
        cells = [_judged_cells(name, row) for name, row in rows if row]
        return Table("Reconstruction of test motion before an evaluator", columns, cells, self.evaluator)


def evaluate_tokenizers(
    store: str,
    runs: Path,
    *,
    tokenizer: Path | None = None,
    sweep: bool = False,
    splits: Sequence[str] = DEFAULT_SPLITS,
    evaluator: Path | None = None,
    seed: int = 0,
    device: str | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> TokenizerEvaluation:
    """Measure a tokenizer, or all there are, on the windows of a store, and write `runs/evaluations/tokenizer-<hash>/`.

    Args:
        store: Folder or URL of the store.
        runs: Folder of tokenizers, sweeps, evaluators and evaluations.
        tokenizer: Folder of a tokenizer, or its name in `runs/tokenizers`; the newest one if None.
        sweep: All finished tokenizers of `runs/tokenizers` and of `runs/sweeps` that have the newest one's representation.
        splits: Which splits to measure on.
        evaluator: Folder of Guo's files or of a stand-in; where None, `runs/evaluators/official`, then a stand-in that was
            trained on these features, and neither where there is none.
        seed: Of captions and crops.
        device: `cpu`, `cuda`, ...; a GPU where there is one if None.
        jobs: Worker processes for building features.
        progress: Told of every step.

    Raises:
        UsageError: If both a tokenizer and a sweep are asked for, or a split is none.
        MissingInput: If there is no tokenizer, no window, or one was made of features that are encoded otherwise now.
    """
    from motionunion import open_store  # the store reads its index with what a bare training machine lacks

    if tokenizer is not None and sweep:
        raise UsageError("eval tokenizer: give --tokenizer or --sweep, not both")
    if unknown := sorted(set(splits) - set(SPLITS)):
        raise UsageError(f"--split {unknown[0]}: there are {', '.join(SPLITS)}")
    target = choose_device(device)
    folders = _choose(Path(runs), tokenizer, sweep, progress)
    representation = describe(folders[0])["representation"]
    # One after another: a sweep of large ones would not fit into memory side by side.
    hashes = [_hash_of(folder) for folder in folders]
    features = build_features(open_store(store), representation, jobs, progress, verify=True)
    windows = [window for window in cut(features).windows if window.split in splits]
    if not windows:
        raise MissingInput(
            f"{store}: no window of {', '.join(splits)} to measure tokenizers on; see `motionunion stats`"
        )
    judge = open_judge(features, Path(runs), evaluator, target, seed, progress)
    plan = {
        "what": FORMAT, "tokenizers": hashes, "features": features.key, "splits": list(splits),
        "evaluator": judge.evaluator.digest if judge.evaluator else None, "seed": seed, "device": target.split(":")[0],
        "torch": torch.__version__,
    }  # fmt: skip
    place = open_run(Path(runs) / EVALUATIONS, "tokenizer", plan)
    if (place / RESULT).is_file():
        progress.note(f"{place} is finished")
        return TokenizerEvaluation.read(place)
    found = []
    for position, folder in enumerate(folders, start=1):
        progress.note(f"{position} of {len(folders)}: {folder.name}")
        found.append(_evaluate(folder, Tokenizer.load(folder, target), features, windows, judge, progress))
    evaluation = TokenizerEvaluation(
        folder=place,
        representation=representation,
        tokenizers=tuple(found),
        real=judge.real,
        evaluator=judge.description,
    )
    _write(evaluation, progress)
    return evaluation


def _choose(runs: Path, tokenizer: Path | None, sweep: bool, progress: Progress) -> list[Path]:
    if tokenizer is not None:
        for folder in (tokenizer, runs / TOKENIZERS / tokenizer):
            if (folder / FILE).is_file():
                return [folder]
        raise MissingInput(f"{tokenizer}: no {FILE} there, nor in {runs / TOKENIZERS / tokenizer}")
    finished = folders_with(runs / TOKENIZERS, FILE)
    if sweep:
        finished += [
            folder for place in sorted((runs / SWEEPS).glob("*")) for folder in folders_with(place / CELLS, FILE)
        ]
    if not finished:
        raise MissingInput(f"{runs} has no finished tokenizer: `scamo train-tokenizer` makes one")
    if not sweep:
        return finished[:1]
    representations = {folder: describe(folder)["representation"] for folder in finished}
    newest = representations[finished[0]]
    if others := sorted(f"{folder.name} ({found})" for folder, found in representations.items() if found != newest):
        progress.note(f"left out, since the newest tokenizer is of {newest}: {', '.join(others)}")
    return [folder for folder in finished if representations[folder] == newest]


def _hash_of(folder: Path) -> str:
    """Hash of a tokenizer. Raises `MissingInput` where its features are encoded otherwise now."""
    one = Tokenizer.load(folder)
    if one.parameter_hash != registry.get(one.representation).parameter_hash:
        raise MissingInput(
            f"{folder} was trained on features that this version encodes otherwise ({one.representation} has other parameters "
            "now); train it again, or move it away"
        )
    return one.hash


def _evaluate(
    folder: Path,
    tokenizer: Tokenizer,
    features: FeatureSet,
    windows: Sequence[Window],
    judge: Judge,
    progress: Progress,
) -> Evaluated:
    config = tokenizer.model.config
    recipe = tokenizer.provenance.get("preset") or tokenizer.provenance.get("trainer") or "imported"
    reset = " without reset" if getattr(config.quantizer, "reset", True) is False else ""
    return Evaluated(
        name=folder.name,
        label=f"{config.quantizer.kind}{reset}, {recipe}, width {config.width}",
        hash=tokenizer.hash,
        codebook=tokenizer.codebook,
        codebook_size=config.codebook_size,
        codes_per_step=config.codes_per_step,
        note=drift(tokenizer, features),
        groups=tuple(evaluate_groups(tokenizer, features.values, windows, progress)),
        judged=judge.row_of(tokenizer, folder.name, progress),
    )


def _write(evaluation: TokenizerEvaluation, progress: Progress) -> None:
    write_atomic(evaluation.folder / MARKDOWN, markdown(evaluation.tables()).encode())
    if len(evaluation.tokenizers) > 1 and measured_groups(evaluation.cells()):
        try:
            draw_sweep(evaluation.cells(), evaluation.folder, f"{len(evaluation.tokenizers)} tokenizers")
        except ImportError as error:
            progress.note(f"no figure is drawn ({error}); `pip install motionunion[plots]` brings what draws it")
    text = json.dumps(evaluation.as_plain(), indent=2, ensure_ascii=False)
    write_atomic(evaluation.folder / RESULT, text.encode() + b"\n")
    remove_leftovers(evaluation.folder)


def _groups(one: Evaluated, note: str) -> Table:
    several = f", {one.codes_per_step} for a step" if one.codes_per_step > 1 else ""
    title = f"Tokenizer {one.name}: codebook {one.codebook}, {one.codebook_size:,} codes in truth{several}"
    return groups_table(title, one.groups, join_notes(f"{one.name}{one.note}" if one.note else "", note))


def _judged_cells(name: str, row: Mapping[str, Any]) -> list[str]:
    none = float("nan")
    values = [*(row["r_precision"] or [none] * 3), none if row["fid"] is None else row["fid"], row["matching_score"]]
    diversity = none if row["diversity"] is None else row["diversity"]
    return [name, f"{row['items']:,}", *(number(value, ".3f") for value in [*values, diversity])]
