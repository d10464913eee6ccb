"""Encoding by the 65536 preset's network, against a re-creation of the public loop, and the quantiser by itself.

    python -m benchmarks.tokenizer [--clips 64] [--repeats 3] [--width 512]

The public loop takes one clip at a time, in float32, and computes the codebook's perplexity from a dense one-hot matrix (tokens by codes)
on every call, encoding included. Both sides have the same weights, clips, threads and run, taking turns. Writes
benchmarks/results/tokenizer.json: seconds of every turn, rows per second, the share of equal codes, and the same for bfloat16.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks import machine
from benchmarks.padding_exact import DIMS, make_tokenizer
from tokenizer.checkpoint import Tokenizer

Codes = list[npt.NDArray[np.int32]]


def public_loop(tokenizer: Tokenizer, clips: list[npt.NDArray[np.float32]]) -> Codes:
    """One clip at a time, with the perplexity of each."""
    size, found = tokenizer.codebook_size, []
    with torch.no_grad():
        for clip in clips:
            codes = tokenizer.model.encode(torch.from_numpy(clip)[None])[0]
            one_hot = torch.zeros(size, len(codes))
            one_hot.scatter_(0, codes[None], 1.0)
            share = one_hot.sum(dim=-1) / one_hot.sum()
            torch.exp(-(share * torch.log(share + 1e-7)).sum())
            found.append(codes.numpy().astype(np.int32))
    return found


def in_bfloat16(tokenizer: Tokenizer, clips: list[npt.NDArray[np.float32]]) -> Codes:
    """Batches of equal length under autocast; the quantiser stays float32."""
    stacked = torch.from_numpy(np.stack(clips))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return list(tokenizer.model.encode(stacked).numpy().astype(np.int32))


def measure(ways: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of every way, which take turns, after one turn that is not counted; and what each gave last."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    given: dict[str, Any] = {}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            given[name] = way()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return seconds, given


def share_of_equal(one: Codes, other: Codes) -> float:
    """Of all codes."""
    return float((np.concatenate(one) == np.concatenate(other)).mean())


def quantiser_alone(tokenizer: Tokenizer, tokens: int, repeats: int) -> dict[str, Any]:
    """Latents (1, tokens, C) to codes and latents; beside vector-quantize-pytorch's FSQ where that is installed."""
    latents = torch.randn(1, tokens, tokenizer.model.config.latent_width, generator=torch.Generator().manual_seed(0))
    ours = tokenizer.model.vqvae.quantizer
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: ours(latents)}
    try:
        import vector_quantize_pytorch as others  # type: ignore[import-untyped]
    except ImportError:
        note = "vector-quantize-pytorch is not installed: nothing to compare with"
    else:
        note = "same levels and width; weights are its own"
        other = others.FSQ(levels=list(tokenizer.levels), dim=latents.shape[-1])
        ways["vector-quantize-pytorch"] = lambda: other(latents)
    with torch.inference_mode():
        seconds, _ = measure(ways, repeats)
    return {"tokens": tokens, "note": note, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--rows", type=int, default=196)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    given = parser.parse_args()
    tokenizer, random = make_tokenizer(given.width), np.random.default_rng(0)
    clips = [random.normal(size=(given.rows, DIMS)).astype(np.float32) for _ in range(given.clips)]
    seconds, codes = measure(
        {
            "public loop": lambda: public_loop(tokenizer, clips),
            "ours, float32": lambda: tokenizer.encode(clips),
            "ours, bfloat16": lambda: in_bfloat16(tokenizer, clips),
        },
        given.repeats,
    )
    rows = given.clips * given.rows
    encoding = {
        name: {
            "seconds": found,
            "rows_per_s": rows / statistics.median(found),
            "times_the_public_loop": statistics.median(seconds["public loop"]) / statistics.median(found),
            "equal_codes": share_of_equal(codes["public loop"], codes[name]),
        }
        for name, found in seconds.items()
    }
    for name, figures in encoding.items():
        print(
            f"{name:16} {figures['rows_per_s']:10,.0f} rows/s  {figures['times_the_public_loop']:5.2f} x  "
            f"{figures['equal_codes']:.4%} equal codes"
        )
    results = {
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),  # of neighbours too: above the number of cores, figures are too low
        "width": given.width,
        "clips": given.clips,
        "rows": rows,
        "encoding": encoding,
        "quantiser": quantiser_alone(tokenizer, 4096, given.repeats),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    machine.write(Path(__file__).with_name("results") / "tokenizer.json", results)


if __name__ == "__main__":
    main()
