"""One training step of the transformer: softmax over seen codes against the whole codebook, and cached against uncached sampling.

    python benchmarks/ar_train.py [--json FILE]

Alternates the cases, so that a busy machine slows all alike; prints median and spread. Random codes, no data needed.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from scamo.config import TrainConfig, model_config
from scamo.data import Windows
from scamo.model import TextPrefixTransformer, new_model
from scamo.objective import Objective
from scamo.sampling import SamplingOptions, sample
from scamo.text import WordEncoder
from scamo.train import Training
from scamo.unigram import Unigram
from scamo.vocabulary import Vocabulary

CODEBOOK = 64_000
CAPTION = "a person walks forward and then turns around"


def training(seen: int, restricted: bool, folder: Path) -> Training:
    """`tiny` on 600 windows of random codes, `seen` of them distinct."""
    random = np.random.default_rng(0)
    pool = random.permutation(CODEBOOK)[:seen]
    windows = Windows.of(
        [pool[random.integers(0, seen, random.integers(10, 50))] for _ in range(600)], [[CAPTION]] * 600
    )
    unigram = Unigram.of(windows.codes, len(windows), CODEBOOK)
    vocabulary = Vocabulary(CODEBOOK, unigram.seen if restricted else None)
    encoder = WordEncoder.of([CAPTION], 128, seed=0)
    model = vocabulary.cut(new_model(model_config("tiny", codebook_size=CODEBOOK, text_width=128), 0))
    config = TrainConfig(steps=1000, batch_tokens=1000, learning_rate=1e-3, warmup_steps=10)
    return Training(Objective(model, encoder, vocabulary), windows, windows, unigram, config, folder, plan_hash="")


def sample_uncached(model: TextPrefixTransformer, text: torch.Tensor, count: int) -> None:
    """Greedy sampling as the public code does it: the whole prefix again for each code."""
    tokens = torch.full((1, text.shape[1]), model.config.pad)
    for _ in range(count):
        with torch.no_grad():
            logits = model(tokens, text, torch.tensor([text.shape[1]]))[:, -1]
        tokens = torch.cat([tokens, logits[:, : model.config.end].argmax(-1, keepdim=True)], dim=1)


def cases(folder: Path) -> dict[str, Callable[[], object]]:
    seen, whole = training(4_400, True, folder), training(4_400, False, folder)
    model = new_model(model_config("44M", codebook_size=CODEBOOK, text_width=64), 0).eval()
    text, lengths = torch.randn(1, 16, 64), torch.tensor([16])
    options = SamplingOptions(temperature=0, min_tokens=49, max_tokens=49)
    return {
        "train step, tiny, 1,000 places, softmax over about 4,400 seen codes": seen._train_step,
        "train step, tiny, 1,000 places, softmax over 64,000 codes": whole._train_step,
        "49 codes, 44M, one prompt, cached": lambda: sample(model, text, lengths, [0], options),
        "49 codes, 44M, one prompt, whole prefix each time": lambda: sample_uncached(model, text, 49),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = cases(Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for number in range(arguments.rounds + 1):
            for name, run in work.items():
                start = time.perf_counter()
                run()
                if number:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {arguments.rounds} rounds"
    )
    rows = [
        {"case": name, "median_s": statistics.median(each), "min_s": min(each), "max_s": max(each)}
        for name, each in seconds.items()
    ]
    for row in rows:
        print(f"{row['case']:<70} {row['median_s']:8.3f} s  ({row['min_s']:.3f} to {row['max_s']:.3f})")
    if arguments.json:
        arguments.json.write_text(json.dumps({"torch": torch.__version__, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
