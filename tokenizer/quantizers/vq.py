"""Vector quantisation whose codebook follows a moving average, with codes that nobody uses set anew.

Van den Oord et al. 2017 (arXiv:1711.00937, appendix A.1), with the reset of Jukebox (Dhariwal et al. 2020) as T2M-GPT has it
(Zhang et al. 2023, arXiv:2301.06052), step for step. The reference keeps only the codebook in its state dict, so that the
first step after a resume overwrites it from data; here sums, counts and the number of steps are in it as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from motionunion.errors import ConfigError
from tokenizer.quantizers.noise import normal
from tokenizer.quantizers.protocol import (
    Quantized,
    Quantizer,
    QuantizerConfig,
    check_size,
    float32_arithmetic,
    masked_mean,
    straight_through,
)
from tokenizer.quantizers.team import first_of_team, sum_over_team

DECAY = 0.99
SCORES = 1 << 24
"""Distances that are in memory at a time, at most: 64 MiB."""
SHIFT = 0.01
"""Size of the shift that parts copies of one latent, where a batch has fewer latents than there are codes."""
SHIFTS = 256
"""Different shifts at one step: a whole repetition of the batch shares one."""
NEVER_USED = 1e-12
"""Below this count a sum over a count is no mean any more but a quotient of two roundings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VQConfig(QuantizerConfig):
    """Vector quantiser with an exponential moving average."""

    kind: ClassVar[str] = "vq"
    size: int
    """Codes."""
    decay: float = DECAY
    """Of the moving averages of sums and counts."""
    reset: bool = True
    """Whether codes that are hardly used become copies of latents of the present batch."""
    reset_below: float = 1.0
    """Average steps of time for each training step below which a code is set anew. With the reference's 1, no more codes
    can live than a batch has steps: see docs/quantizers.md."""
    reset_averages: bool = False
    """Whether sum and count of such a code begin anew as well. In the reference they do not: a code that comes back into use is
    the mean of all that it ever had, and so is pulled back to where nothing was."""
    commitment: float = 0.02
    """Weight of the mean squared distance between latents and their codes."""

    def __post_init__(self) -> None:
        if self.size < 2:
            raise ConfigError(f"{self.kind}.size: must be at least 2, got {self.size}")
        check_size(self.kind, self.size)
        if not 0 < self.decay < 1:
            raise ConfigError(f"{self.kind}.decay: must be between 0 and 1, got {self.decay}")
        for name in ("reset_below", "commitment"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{self.kind}.{name}: must not be negative, got {getattr(self, name)}")

    @property
    def codebook_size(self) -> int:
        """The size itself."""
        return self.size


class VQ(Quantizer):
    """The nearest of K vectors, each the moving average of the latents that took it.

    Shapes: ... any batch shape, M steps of a batch, K codes, C channels.
    """

    codebook: Tensor
    code_sum: Tensor
    code_count: Tensor
    steps: Tensor

    def __init__(self, config: VQConfig, width: int) -> None:
        super().__init__()
        self.config: VQConfig = config
        codebook = torch.randn(config.size, width)
        self.register_buffer("codebook", codebook)
        self.register_buffer("code_sum", codebook.clone())
        self.register_buffer("code_count", torch.ones(config.size))
        # Batches learnt from. The first one overwrites the codebook that the seed gave.
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self._begun = False  # known to be past the first batch: asked of the device once, not at every step
        self.register_load_state_dict_post_hook(VQ._ask_again)  # type: ignore[no-untyped-call]

    def forward(self, latents: Tensor, mask: Tensor | None = None) -> Quantized:
        """Quantise latents (..., C); in training mode the codebook moves afterwards."""
        with float32_arithmetic(latents):
            latents = latents.float()
            codes, indices = self.assign(latents, mask)
            loss = self.config.commitment * masked_mean((latents - codes).square(), mask)
            return Quantized(straight_through(codes, latents), indices, loss, None)

    def assign(self, latents: Tensor, mask: Tensor | None, active: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Vectors (..., C) and codes (...) of float32 latents (..., C); in training mode the codebook moves afterwards.

        `active` is a scalar boolean: where False, the codebook stays as it is and the step counts all the same.
        """
        real = torch.ones(latents.shape[:-1], device=latents.device) if mask is None else mask.float()
        if self.training and not self._begun:
            self._begin(latents.detach(), real)
        indices = self.indices(latents)
        codes = functional.embedding(indices, self.codebook)
        if self.training:
            self._learn(latents.detach(), indices, real, active)
        return codes, indices

    def indices(self, latents: Tensor) -> Tensor:
        """Codes (...) of the nearest vectors to latents (..., C)."""
        with float32_arithmetic(latents):
            flat = latents.detach().float().reshape(-1, latents.shape[-1])
            return nearest(flat, self.codebook).reshape(latents.shape[:-1])

    def dequantize(self, indices: Tensor) -> Tensor:
        """Vectors (..., C) of codes (...)."""
        return functional.embedding(indices.long(), self.codebook)

    @torch.no_grad()
    def _begin(self, latents: Tensor, real: Tensor) -> None:
        """Latents of the very first batch become the codebook."""
        if not self.steps:
            start = self._candidates(latents, real)
            self.codebook.copy_(start)
            self.code_sum.copy_(start)
            self.code_count.fill_(1)
        self._begun = True

    def _ask_again(self, incompatible_keys: object) -> None:
        self._begun = False

    @torch.no_grad()
    def _learn(self, latents: Tensor, indices: Tensor, real: Tensor, active: Tensor | None) -> None:
        """One step of the moving averages."""
        decay, flat, weight = self.config.decay, latents.reshape(-1, latents.shape[-1]), real.reshape(-1)
        count = torch.zeros_like(self.code_count).index_add_(0, indices.reshape(-1), weight)
        total = torch.zeros_like(self.code_sum).index_add_(0, indices.reshape(-1), flat * weight[:, None])
        count = decay * self.code_count + (1 - decay) * sum_over_team(count)
        total = decay * self.code_sum + (1 - decay) * sum_over_team(total)
        mean = torch.where(count[:, None] > NEVER_USED, total / count[:, None], self.codebook)
        if self.config.reset:
            alive, fresh = count >= self.config.reset_below, self._candidates(latents, real)
            mean = torch.where(alive[:, None], mean, fresh)
            if self.config.reset_averages:
                total = torch.where(alive[:, None], total, fresh * self.config.reset_below)
                count = count.clamp(min=self.config.reset_below)
        if active is not None:
            mean, total, count = (
                torch.where(active, new, old)
                for new, old in ((mean, self.codebook), (total, self.code_sum), (count, self.code_count))
            )
        self.codebook.copy_(mean)
        self.code_sum.copy_(total)
        self.code_count.copy_(count)
        self.steps += 1

    def _candidates(self, latents: Tensor, real: Tensor) -> Tensor:
        """A latent (K, C) of the batch for every code: the first K real ones, repeated with a little noise if there are fewer.

        A batch without a single real step offers what is there already.
        """
        flat, weight = latents.reshape(-1, latents.shape[-1]), real.reshape(-1)
        order = torch.argsort(weight, descending=True, stable=True)
        if not len(flat):
            return first_of_team(self.codebook.clone())
        found = weight.count_nonzero()
        places = torch.arange(self.config.size, device=flat.device)
        shifts = normal(self.steps, (SHIFTS, flat.shape[1]), stream=0) * (SHIFT / math.sqrt(flat.shape[1]))
        turn, place = places // found.clamp(min=1), places % found.clamp(min=1)
        fresh = flat[order[place]] + shifts[turn % SHIFTS] * (found < self.config.size)
        return first_of_team(torch.where(found > 0, fresh, self.codebook))


def nearest(latents_MC: Tensor, codebook_KC: Tensor) -> Tensor:
    """Indices (M,) of the nearest vectors, in pieces, so that the M times K distances never stand in memory at once."""
    lengths = codebook_KC.square().sum(dim=1)
    rows = max(1, SCORES // len(codebook_KC))
    # The latent's own length is the same for every code and is left out.
    scores = (torch.addmm(lengths, piece, codebook_KC.T, alpha=-2) for piece in torch.split(latents_MC, rows))
    return torch.cat([piece.argmin(dim=1) for piece in scores])
