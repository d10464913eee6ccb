"""The processes that train together: one alone, or those that `torchrun` started."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist


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

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the connection to the others."""
        if self.size > 1:
            dist.destroy_process_group()


ALONE = Team(0, 1, torch.device("cpu"))


def join_team(device: torch.device) -> Team:
    """The team that `torchrun` describes in the environment, or this process alone where there is none."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team(0, 1, device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Team(dist.get_rank(), size, device)
