"""The processes that train together: one alone, or those that `torchrun` started."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

PATIENCE = timedelta(hours=24)
"""How long processes wait for one another: the first one may have a large store's features to build."""


@dataclass(frozen=True, slots=True)
class Team:
    """This process among `size` processes."""

    rank: int
    size: int
    device: torch.device

    @property
    def device_ids(self) -> list[torch.device] | None:
        """What DDP wants to be told on a GPU, and must not be told on a CPU."""
        return [self.device] if self.device.type == "cuda" else None

    def sum(self, value: float) -> float:
        """Sum of a number over all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def mean(self, tensor: Tensor) -> Tensor:
        """Mean of a tensor over all processes; the tensor itself where there is one."""
        if self.size > 1:
            dist.all_reduce(tensor)
            tensor = tensor / self.size
        return tensor

    def of_first(self, word: str | None) -> str | None:
        """What the first process says, to all: on GPUs, last bits and so decisions may differ from process to process."""
        if self.size == 1:
            return word
        words = [word]
        dist.broadcast_object_list(words, src=0, device=self.device)
        return words[0]

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the connection to the others."""
        if self.size > 1:
            dist.destroy_process_group()


ALONE = Team(0, 1, torch.device("cpu"))
_TEAMS = itertools.count()  # of this process; every process joins the same ones in the same order


def join_team(device: torch.device) -> Team:
    """The team that `torchrun` describes in the environment, or this process alone where there is none."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team(0, 1, device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    # A process may join one team after another. Without a name of its own, a team finds the addresses that the one
    # before it left in the store of `torchrun`, where nobody listens any more.
    store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=PrefixStore(f"team {next(_TEAMS)}", store),
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    return Team(rank, size, device)
