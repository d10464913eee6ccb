"""Codes of clips alone, in batches of 64 and in pieces: a million tokens, and how many differ.

    python -m benchmarks.padding_exact [--tokens 1000000] [--width 128]

Random clips of 16 to 1,600 rows through a network of seeded first weights with the 65536 preset's levels, its projection scaled so that
channels reach all grid points. Writes benchmarks/results/padding_exact.json. A difference at a step none of whose channels lies
within 1e-5 of the middle between two grid points counts as an error, and ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import machine
from tokenizer import encoding_batches
from tokenizer.checkpoint import Tokenizer
from tokenizer.model import build_model
from tokenizer.model_config import ModelConfig
from tokenizer.quantizers import levels_of
from tokenizer.quantizers.fsq import FSQ

EDGE = 1e-5
PIECE_ROWS = 400
CLIPS = 64
DIMS = 263


def make_tokenizer(width: int) -> Tokenizer:
    """Seeded weights; all features are normalised already."""
    model = build_model(ModelConfig(levels=levels_of(65536), width=width), 0)
    quantizer = model.vqvae.quantizer
    assert isinstance(quantizer, FSQ)
    with torch.no_grad():
        quantizer.project_in.weight.mul_(10.0)
    return Tokenizer(
        model, mean_D=np.zeros(DIMS, np.float32), std_D=np.ones(DIMS, np.float32), representation="hml263@20/compat",
        parameter_hash="", codebook=65536, provenance={},
    )  # fmt: skip


def near_an_edge(tokenizer: Tokenizer, clip: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Steps (N,) of a clip (T, D) at which some channel may be rounded to either side."""
    quantizer = tokenizer.model.vqvae.quantizer
    assert isinstance(quantizer, FSQ)
    with torch.inference_mode():
        latents = tokenizer.model.encode_latents(torch.from_numpy(clip)[None]).transpose(1, 2)
        bounded = quantizer.grid.bound(quantizer.project_in(latents)) - 0.5
    near: npt.NDArray[np.bool_] = ((bounded - bounded.round()).abs() < EDGE).any(dim=-1)[0].numpy()
    return near


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results") / "padding_exact.json")
    given = parser.parse_args()
    tokenizer, random = make_tokenizer(given.width), np.random.default_rng(0)
    whole = encoding_batches.PIECE_ROWS
    tokens = near = differ = unexplained = clips = 0
    used = np.zeros(tokenizer.codebook_size, dtype=np.int64)
    began = time.monotonic()
    while tokens < given.tokens:
        batch = [random.normal(size=(int(rows), DIMS)).astype(np.float32) for rows in random.integers(16, 1600, CLIPS)]
        alone = [tokenizer.encode([clip])[0] for clip in batch]
        together = tokenizer.encode(batch)
        encoding_batches.PIECE_ROWS = PIECE_ROWS
        pieces = tokenizer.encode(batch)
        encoding_batches.PIECE_ROWS = whole
        for number, clip in enumerate(batch):
            unequal = (alone[number] != together[number]) | (alone[number] != pieces[number])
            edge = near_an_edge(tokenizer, clip)
            tokens, clips, near = tokens + len(edge), clips + 1, near + int(edge.sum())
            differ += int(unequal.sum())
            unexplained += int((unequal & ~edge).sum())
            used += np.bincount(alone[number], minlength=len(used))
        print(f"{tokens:,} tokens, {near} near an edge, {differ} differ, {unexplained} without reason", flush=True)
    figures = {
        "width": given.width, "threads": torch.get_num_threads(), "clips": clips, "tokens": tokens,
        "distinct_codes": int((used > 0).sum()), "edge": EDGE, "near_an_edge": near, "differ": differ,
        "differ_share": differ / tokens, "differ_off_the_edge": unexplained, "seconds": round(time.monotonic() - began, 1),
    }  # fmt: skip
    machine.write(given.results, figures)
    if unexplained:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
