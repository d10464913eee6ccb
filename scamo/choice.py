"""How a bare `scamo train-ar` picks size, batch and steps: from a fixed table, never from a clock.

The table is `manifests/presets/transformer.toml`. The same corpus on the same kind of device always gives the same plan,
which is what lets a killed run find its folder again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests import presets
from motionunion.errors import ConfigError
from scamo.config import TrainConfig, from_mapping, preset
from scamo.data import Schedule, Windows
from scamo.unigram import Unigram

RESTRICT_BELOW = 0.25
"""The softmax covers seen codes only where those are less than this share of the codebook."""
TOKENS_PER_CODE = 20.0
"""Below so many training tokens per distinct code a smaller codebook is advised."""
SOFTMAX = ("auto", "seen", "all")
_PLANNING = ("epochs", "min_steps")


@dataclass(frozen=True, slots=True)
class Choice:
    """What will be trained, and why."""

    model: str
    restricted: bool
    training: TrainConfig
    why: tuple[str, ...]
    advice: tuple[str, ...]


def _first(
    rows: Sequence[Mapping[str, Any]], device: str, model: str | None, size: dict[str, int]
) -> Mapping[str, Any]:
    """The first row of a table that fits; a key `below_<x>` is a limit on `size[x]`. Without a model, any row's will do."""
    for row in rows:
        limits = [value > size[key.removeprefix("below_")] for key, value in row.items() if key.startswith("below_")]
        if row["device"] == device and model in (None, row.get("model", model)) and all(limits):
            return row
    raise ConfigError(f"the table of sizes has no row for device {device!r}; it has rows for cpu and cuda")


def choose(
    windows: Windows,
    unigram: Unigram,
    device: str,
    *,
    model: str | None = None,
    softmax: str = "auto",
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
) -> Choice:
    """Size, steps and batch for a corpus and a kind of device.

    Args:
        windows: Training windows with captions.
        unigram: Their code counts.
        device: `cpu` or `cuda`.
        model: A size instead of the table's.
        softmax: `seen`, `all`, or `auto` for `seen` where under a quarter of the codebook occurs.
        steps: A number of steps instead of the table's.
        learning_rate: Instead of the size's own.
        seed: Of the whole run.
    """
    if softmax not in SOFTMAX:
        raise ConfigError(f"--softmax {softmax}: choose one of {', '.join(SOFTMAX)}")
    table = presets("transformer")
    seen, total = len(unigram.seen), unigram.codebook_size
    why = []
    if model is None:
        row = _first(table["choice"], device, None, {"tokens": windows.tokens})
        model = str(row["model"])
        why.append(f"model {model}: {row['why']} ({windows.tokens:,} training tokens in {len(windows):,} windows)")
    preset(model)  # an unknown name ends here, with the list of names
    restricted = softmax == "seen" or (softmax == "auto" and seen < RESTRICT_BELOW * total)
    if restricted:
        why.append(
            f"softmax over the {seen:,} codes that the training windows hold, of {total:,}"
            + (": under a quarter occurs" if softmax == "auto" else "")
        )
    values = {key: value for key, value in table["training"][model].items() if key not in _PLANNING}
    budget = _first(table["budget"], device, model, {"rows": seen if restricted else total})
    values |= {key: budget[key] for key in ("batch_tokens", "warmup_steps") if key in budget}
    per_epoch = Schedule(windows, values["batch_tokens"], seed).batches_per_epoch
    if steps is None:
        epochs, least, most = (
            table["training"][model]["epochs"],
            table["training"][model]["min_steps"],
            budget["max_steps"],
        )
        wanted = math.ceil(epochs * per_epoch)
        steps = min(max(wanted, least), most)
        limit = (
            "" if steps == wanted else f", at most {most:,} on {device}" if steps == most else f", at least {least:,}"
        )
        why.append(
            f"{steps:,} steps of about {values['batch_tokens']:,} tokens: {epochs} epochs of {per_epoch:,} batches are "
            f"{wanted:,}{limit}"
        )
    else:
        values["warmup_steps"] = min(values["warmup_steps"], steps // 10)
        why.append(
            f"{steps:,} steps as asked ({steps / per_epoch:.1f} epochs), {values['warmup_steps']:,} of them warm-up"
        )
    values |= {} if learning_rate is None else {"learning_rate": learning_rate}
    training = from_mapping(
        TrainConfig,
        {**values, "steps": steps, "seed": seed, "restrict_head": restricted, "eval_every": max(10, steps // 20)},
        f"training {model}",
    )
    density = len(windows.codes) / max(1, seen)
    advice: tuple[str, ...] = ()
    if density < TOKENS_PER_CODE:
        advice = (
            f"{density:.1f} training tokens per distinct code, fewer than {TOKENS_PER_CODE:.0f}: a smaller codebook suits a "
            "corpus of this size better (`scamo tokenize --codebook 1024` or 256)",
        )
    return Choice(model, restricted, training, tuple(why), advice)
