"""Encoding by the 65536 preset's network: the public loop made anew, our own, and our own in bfloat16. Run by `benchmarks.tokenizer`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.padding_exact import DIMS, make_tokenizer
from benchmarks.turns import Turns, Way, operations_of
from tokenizer.checkpoint import Tokenizer
from tokenizer.fast_encoder import FastEncoder

Codes = list[npt.NDArray[np.int32]]

PUBLIC, OURS, BFLOAT16 = "public loop", "ours, float32", "ours, bfloat16"


def public_loop(tokenizer: Tokenizer, clips: list[npt.NDArray[np.float32]]) -> Codes:
    """As the public code encodes: one clip at a time, quantised and projected back, and of each clip the codebook's perplexity and
    the share of codes in use, from a dense matrix of all codes by all tokens."""
    size, found = tokenizer.codebook_size, []
    with torch.no_grad():
        for clip in clips:
            latents = tokenizer.model.encode_latents(torch.from_numpy(clip)[None])
            _, indices, _, _ = tokenizer.model.vqvae.quantizer(latents.transpose(1, 2))
            one_hot = torch.zeros(size, indices.shape[1])
            one_hot.scatter_(0, indices, 1.0)
            count = one_hot.sum(dim=-1)
            share = count / count.sum()
            torch.exp(-(share * torch.log(share + 1e-7)).sum())
            (count > 0).sum().float().div(size)
            found.append(indices[0].numpy().astype(np.int32))
    return found


def in_bfloat16(tokenizer: Tokenizer, clips: list[npt.NDArray[np.float32]]) -> Codes:
    """All clips, of one length, as a batch under autocast; the quantiser stays float32."""
    stacked = torch.from_numpy(np.stack(clips))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        return list(tokenizer.model.encode(stacked).numpy().astype(np.int32))


class Encoding:
    """The ways to encode the same clips of equal length."""

    def __init__(self, *, clips: int, rows: int, width: int) -> None:
        random = np.random.default_rng(0)
        self.tokenizer = make_tokenizer(width)
        self.clips = [random.normal(size=(rows, DIMS)).astype(np.float32) for _ in range(clips)]
        self.rows = clips * rows

    def ways(self) -> dict[str, Way]:
        """Each gives the codes of all clips."""
        return {
            PUBLIC: lambda: public_loop(self.tokenizer, self.clips),
            OURS: lambda: self.tokenizer.encode(self.clips),
            BFLOAT16: lambda: in_bfloat16(self.tokenizer, self.clips),
        }

    def measure(self, turns: int, clock: str) -> dict[str, dict[str, Any]]:
        """Figures of every way, with the share of codes that are the public loop's."""
        took = Turns(self.ways(), turns, clock)
        model, some = self.tokenizer.model, torch.from_numpy(np.stack(self.clips[:4]))
        fast = FastEncoder(model)
        with torch.no_grad():
            asked = operations_of(lambda: model.encode(some)) * len(self.clips) / len(some)
            done = operations_of(lambda: fast.channels(some)) * len(self.clips) / len(some)
        results = {}
        for name, operations in ((PUBLIC, asked), (OURS, done), (BFLOAT16, asked)):
            limit = "bfloat16" if name == BFLOAT16 else "float32"
            equal = np.concatenate(took.given[name][-1]) == np.concatenate(took.given[PUBLIC][-1])
            results[name] = {
                **took.figures(name, PUBLIC, self.rows),
                **took.arithmetic(name, operations, limit),
                "gflop_of_the_layers": asked / 1e9,
                "equal_codes": float(equal.mean()),
            }
        return results
