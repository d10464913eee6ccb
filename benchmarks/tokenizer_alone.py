"""FSQ by itself, ours and vector-quantize-pytorch's, with the same weights. Run by `benchmarks.tokenizer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.padding_exact import make_tokenizer
from benchmarks.turns import Turns, Way
from tokenizer.quantizers.fsq import FSQ

THEIRS, OURS = "vector-quantize-pytorch", "ours"
TASKS = (
    "codes of latents",
    "latents, forward",
    "latents, forward and backward",
    "channels, forward",
    "channels, forward and backward",
)
"""Latents go through both projections, which are most of the time; channels are what is rounded between them."""
Call = Callable[[Tensor], Any]


class Alone:
    """Both quantisers on the same latents, or the same channels."""

    def __init__(self, *, tokens: int, width: int) -> None:
        import vector_quantize_pytorch as others  # type: ignore[import-untyped]

        ours = make_tokenizer(width).model.vqvae.quantizer
        assert isinstance(ours, FSQ)
        levels = list(ours.grid.levels)
        theirs = others.FSQ(levels=levels, dim=width)
        theirs.load_state_dict(ours.state_dict(), strict=True)
        random = torch.Generator().manual_seed(0)
        self.tokens = tokens
        self.latents, self.back = (torch.randn(1, tokens, width, generator=random) for _ in range(2))
        self.channels, self.few_back = (torch.randn(1, tokens, len(levels), generator=random) for _ in range(2))
        self.whole: dict[str, torch.nn.Module] = {THEIRS: theirs, OURS: ours.requires_grad_(True)}
        self.rounding: dict[str, torch.nn.Module] = {THEIRS: others.FSQ(levels=levels), OURS: ours.grid}
        # Theirs has no way to codes but the whole forward.
        self.codes: dict[str, Call] = {THEIRS: lambda latents: theirs(latents)[1], OURS: ours.indices}

    def ways(self, task: str) -> dict[str, Way]:
        """Both, for one of `TASKS`; each gives the codes."""
        if task == "codes of latents":
            return {name: self._forward(call, self.latents) for name, call in self.codes.items()}
        modules, given, back = (
            (self.whole, self.latents, self.back)
            if task.startswith("latents")
            else (self.rounding, self.channels, self.few_back)
        )
        if task.endswith("backward"):
            return {name: self._backward(module, given, back) for name, module in modules.items()}
        return {name: self._forward(lambda x, module=module: module(x)[1], given) for name, module in modules.items()}  # type: ignore[misc]

    def measure(self, turns: int, clock: str) -> dict[str, dict[str, Any]]:
        """Figures of every task.

        Raises:
            AssertionError: If the two give other codes.
        """
        results = {}
        for task in TASKS:
            took = Turns(self.ways(task), turns, clock, limits=False)
            for mine, other in zip(took.given[OURS], took.given[THEIRS], strict=True):
                assert torch.equal(mine.long(), other.long()), f"{task}: the codes differ"
            results[task] = {name: took.figures(name, THEIRS, self.tokens) for name in (THEIRS, OURS)}
        return results

    @staticmethod
    def _forward(call: Call, given: Tensor) -> Way:
        def way() -> Tensor:
            with torch.inference_mode():
                codes: Tensor = call(given)
            return codes

        return way

    @staticmethod
    def _backward(module: torch.nn.Module, given: Tensor, back: Tensor) -> Way:
        def way() -> Tensor:
            x = given.detach().requires_grad_()
            module.zero_grad(set_to_none=True)
            values, codes, *_ = module(x)
            values.backward(back)
            found: Tensor = codes
            return found

        return way
