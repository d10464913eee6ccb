"""What quantisers share over the processes of `torchrun`, so that every process keeps the same codebook."""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def sum_over_team(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place; the tensor itself where there is one process."""
    if _in_a_team():
        dist.all_reduce(tensor)
    return tensor


def first_of_team(tensor: Tensor) -> Tensor:
    """What the first process has, in place; the tensor itself where there is one process."""
    if _in_a_team():
        dist.broadcast(tensor, src=0)
    return tensor


def _in_a_team() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
