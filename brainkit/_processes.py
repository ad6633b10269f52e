"""Training in several processes: what `torchrun` starts, seen from inside of one of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Processes", "count", "first", "join", "leave"]

# The others may wait so long for the first one, which alone measures and saves what was trained.
# A process that dies ends them all at once: torchrun sees to that.
PATIENCE = timedelta(hours=6)


def count() -> int:
    """How many processes torchrun started, this one included; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def first() -> bool:
    """Whether this is the process that writes and prints."""
    return count() == 1 or os.environ["RANK"] == "0"


@dataclass(frozen=True)
class Processes:
    """The processes of this run: how many, and which is this one."""

    rank: int = 0
    size: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, its gradients averaged over the processes in each backward pass."""
        if self.size == 1:
            return model
        # The running statistics of normalisations are those of the first process. Looking for
        # parameters without a gradient keeps the buckets in which gradients are summed as they
        # are. Without, torch orders them anew after the first step of a run, the resumed one as
        # well, and of more than two processes the sums would differ in their last bits.
        return nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)

    def share(self, batch: Tensor) -> Tensor:
        """This process' part of a batch of indices (n,)."""
        return batch[self.rank :: self.size]

    def weight(self, part: Tensor, batch: Tensor) -> float:
        """Factor for a mean over the part, so that the average over processes is the batch's."""
        return self.size * len(part) / len(batch)

    def total(self, values: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, by rank; tensors in them must be on the CPU."""
        values = [value]
        if self.size > 1:
            values = [None] * self.size
            dist.all_gather_object(values, value)
        return values

    def agree(self, model: nn.Module) -> None:
        """Give all processes the first one's running statistics."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            dist.barrier()


def join(device: torch.device) -> tuple[Processes, torch.device]:
    """The processes of a run that torchrun started, and this one's device; else this one alone.

    torchrun tells each process its place in the environment. On GPUs each has its own.
    """
    if count() == 1:
        return Processes(), device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    return Processes(dist.get_rank(), dist.get_world_size()), device


def leave() -> None:
    """Say goodbye to the other processes, at a program's end."""
    if dist.is_initialized():
        dist.destroy_process_group()
