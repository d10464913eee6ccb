"""An evaluation as tables: for the terminal, for Markdown, and the JSON that both are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from motionunion.digest import write_atomic
from scamo.evaluation.scoring import FEW_FOR_FID
from tokenizer.evaluation.table import NOT_AVAILABLE, Table, markdown

RESULT, MARKDOWN = "evaluation.json", "table.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All that `scamo eval humanml3d` found."""

    title: str
    comparable: bool
    """Whether the numbers may stand beside published ones."""
    reasons: tuple[str, ...]
    """Why not."""
    unusable: str | None
    """Why the evaluator itself proves nothing here; None where it does."""
    evaluator: str
    """Which weights judged."""
    rows: tuple[Mapping[str, Any], ...]
    """Real, reconstruction and generated; see `scamo.evaluation.scoring.Row`."""
    reconstruction: Mapping[str, Any]
    """L1, MPJPE and codebook use on whole test windows; see `tokenizer.evaluation.scores.Scores`."""
    tokenizer_note: str
    """What to know of the tokenizer's own training data; empty where it is this store's present training split."""
    likelihood: Mapping[str, Any]
    """CE, H_cross, L_u of the transformer on the corpus's test split; `withheld` says what is not given, and why."""
    generation: Mapping[str, Any]
    """How long the generated motions are, and how they were sampled."""
    items: int
    """Items before the last partial pool was dropped."""
    dropped: Mapping[str, int]
    """What was left out of the items, by reason."""
    untagged: int
    """Captions of the pass without stored part-of-speech tokens; their words count as tagged OTHER."""
    repeated: int
    """Captions of the pass that another item of it has too: their R-precision has a ceiling below 1."""
    seed: int
    digests: Mapping[str, str]
    folder: str

    def as_plain(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    def save(self, folder: Path) -> None:
        """Write `table.md`, and `evaluation.json` last."""
        write_atomic(folder / MARKDOWN, markdown(tables(self)).encode())
        write_atomic(folder / RESULT, json.dumps(self.as_plain(), indent=2, ensure_ascii=False).encode() + b"\n")

    @staticmethod
    def read(folder: Path) -> Evaluation:
        """What `save` wrote."""
        plain = json.loads((folder / RESULT).read_bytes())
        tuples = {"reasons": tuple(plain["reasons"]), "rows": tuple(plain["rows"])}
        return Evaluation(**{**plain, **tuples, "folder": str(folder)})


def tables(evaluation: Evaluation) -> list[Table]:
    """The tables that a person sees, in order."""
    return [_main(evaluation), _reconstruction(evaluation), _likelihood(evaluation)]


def _main(evaluation: Evaluation) -> Table:
    columns = ("", "N", "R@1", "R@2", "R@3", "FID", "matching score", "diversity")
    rows, notes = [], []
    for row in evaluation.rows:
        precision = row["r_precision"] or [None] * 3
        mark = " *" if row["fid_is_flagged"] else ""
        fid = NOT_AVAILABLE if row["fid"] is None else f"{row['fid']:.3f} (N={row['fid_items']:,}){mark}"
        rows.append(
            [
                row["name"], f"{row['items']:,}", *(_number(value) for value in precision), fid,
                _number(row["matching_score"]), _number(row["diversity"]),
            ]
        )  # fmt: skip
        notes += [f"{row['name']}, {name.replace('_', '-')}: n/a, {why}." for name, why in row["missing"].items()]
    if any(row["fid_is_flagged"] for row in evaluation.rows):
        notes.append(f"* FID of fewer than {FEW_FOR_FID:,} items is biased upwards: compare it at the same N only.")
    notes.append(
        "FID of the real row is between two independent passes (captions, crops); the other rows are paired with the first."
    )
    notes.append(f"Evaluator: {evaluation.evaluator}. Diversity: {evaluation.rows[0]['diversity_pairs']} pairs.")
    notes.append(_about_items(evaluation))
    generation = evaluation.generation
    notes.append(
        f"Generated: {generation['how']}; {generation['mean_rows']:.0f} rows on average, real {generation['real_rows']:.0f}; "
        f"{generation['at_cap']:,} reached the cap."
    )
    return Table(evaluation.title, columns, rows, "\n".join(notes))


def _about_items(evaluation: Evaluation) -> str:
    used = evaluation.rows[0]["items"]
    words = f"Items: {used:,} of {evaluation.items:,}"
    if used < evaluation.items:
        words += " (the last partial pool of 32 is left out)"
    if evaluation.dropped:
        words += "; left out: " + ", ".join(f"{reason} ({count:,})" for reason, count in evaluation.dropped.items())
    if evaluation.untagged:
        words += f". {evaluation.untagged:,} captions have no part-of-speech tokens; their words count as tagged OTHER"
    if evaluation.repeated:
        words += f". {evaluation.repeated:,} captions are those of other items too, so R-precision cannot reach 1"
    return words + "."


def _reconstruction(evaluation: Evaluation) -> Table:
    scores = evaluation.reconstruction
    rows = [
        [
            "tokenizer", f"{scores['l1']:.3f}", f"{scores['mpjpe_mm']:.1f}", f"{scores['mpjpe_heading_free_mm']:.1f}",
            f"{scores['usage']['used']:,} of {scores['usage']['codebook_size']:,}", f"{scores['usage']['exp_entropy']:,.0f}",
        ],
        [
            "mean-feature predictor", "", f"{scores['mean_predictor_mpjpe_mm']:.1f}",
            f"{scores['mean_predictor_mpjpe_heading_free_mm']:.1f}", "", "",
        ],
    ]  # fmt: skip
    columns = ("reconstruction", "L1", "MPJPE mm", "MPJPE mm, heading-free", "codes used", "exp. entropy")
    note = f"{scores['windows']:,} test windows at their true length, {scores['rows']:,} rows, captioned or not."
    if evaluation.tokenizer_note:
        note += f"\n{evaluation.tokenizer_note}"
    return Table("Tokenizer on the test split", columns, rows, note)


def _likelihood(evaluation: Evaluation) -> Table:
    found = evaluation.likelihood
    rows = [
        [
            "codes seen in training",
            _number(found["ce_seen"]),
            _number(found["h_cross_seen"]),
            _number(found["l_u_seen"]),
        ],
        ["all codes", _number(found["ce"]), _number(found["h_cross"]), _number(found["l_u"])],
    ]
    note = f"{found['tokens']:,.0f} tokens of {found['windows']:,} captioned test windows, END included."
    if found["unseen_share"] is not None:
        note += f" Unseen codes: {100 * found['unseen_share']:.1f} %. Additive smoothing {found['smoothing']:g}."
    note += " L_u = CE - H_cross; below 0 is better than the unigram."
    note += "".join(f"\n{name}: {why}." for name, why in found["withheld"].items())
    return Table("Transformer on the test split (nats per token)", ("", "CE", "H_cross", "L_u"), rows, note)


def _number(value: float | None) -> str:
    return NOT_AVAILABLE if value is None else f"{value:.3f}"
