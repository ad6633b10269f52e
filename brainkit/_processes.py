"""Training in several processes: what `torchrun` starts, seen from inside of one of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Processes", "join"]


@dataclass(frozen=True)
class Processes:
    """The processes of this run: how many, and which is this one."""

    rank: int = 0
    size: int = 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, its gradients averaged over the processes in each backward pass."""
        if self.size == 1:
            return model
        # The running statistics of normalisations are those of the first process.
        return nn.parallel.DistributedDataParallel(model)

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
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Processes(), device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size()), device
